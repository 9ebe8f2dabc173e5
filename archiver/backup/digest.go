package backup

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/varve-db/varve/segment"
)

// digest is a digest over a set of segments: the sum modulo 2^256 of the SHA-256 of a line for
// each, "timeline/id size sha256\n". It does not depend on their order, and a segment is taken
// out of it as easily as put in, so a backup's digest costs what changed since the one before.
// It finds damage; it does not protect against forged segments.
type digest [4]uint64

// term is what a segment adds.
func term(ref segment.Ref, size int64, sum segment.Digest) digest {
	return parseDigest(sha256.Sum256(fmt.Appendf(nil, "%v %d %v\n", ref, size, sum)))
}

// parseDigest reads a digest as the number, most significant byte first.
func parseDigest(d segment.Digest) (s digest) {
	for i := range s {
		s[i] = binary.BigEndian.Uint64(d[8*i:])
	}
	return s
}

// sum is the inverse of parseDigest.
func (s *digest) sum() (d segment.Digest) {
	for i, v := range s {
		binary.BigEndian.PutUint64(d[8*i:], v)
	}
	return d
}

// add puts a segment in.
func (s *digest) add(t digest) {
	var carry uint64
	for i := len(s) - 1; i >= 0; i-- {
		s[i], carry = bits.Add64(s[i], t[i], carry)
	}
}

// remove takes a segment out.
func (s *digest) remove(t digest) {
	var borrow uint64
	for i := len(s) - 1; i >= 0; i-- {
		s[i], borrow = bits.Sub64(s[i], t[i], borrow)
	}
}
