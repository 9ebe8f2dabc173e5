package archiver

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/varve-db/varve/segment"
)

// setDigest is a digest over a set of segments: the sum modulo 2^256 of the SHA-256
// of a line for each, "timeline/id size sha256\n". It does not depend on their
// order, and a segment is taken out of it as easily as put in, so a backup's
// digest costs what changed since the one before. It finds damage; it is no proof
// against somebody who makes up segments.
type setDigest [4]uint64

// term is what a segment adds.
func term(ref segment.Ref, size int64, sum Digest) setDigest {
	return parseSetDigest(sha256.Sum256(fmt.Appendf(nil, "%v %d %v\n", ref, size, sum)))
}

// parseSetDigest reads a digest as the number, most significant byte first.
func parseSetDigest(d Digest) (s setDigest) {
	for i := range s {
		s[i] = binary.BigEndian.Uint64(d[8*i:])
	}
	return s
}

// digest is the inverse of parseSetDigest.
func (s *setDigest) digest() (d Digest) {
	for i, v := range s {
		binary.BigEndian.PutUint64(d[8*i:], v)
	}
	return d
}

// add puts a segment in.
func (s *setDigest) add(t setDigest) {
	var carry uint64
	for i := len(s) - 1; i >= 0; i-- {
		s[i], carry = bits.Add64(s[i], t[i], carry)
	}
}

// remove takes a segment out.
func (s *setDigest) remove(t setDigest) {
	var borrow uint64
	for i := len(s) - 1; i >= 0; i-- {
		s[i], borrow = bits.Sub64(s[i], t[i], borrow)
	}
}
