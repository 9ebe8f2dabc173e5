package refset

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/varve-db/varve/segment"
)

// Digest is a digest over a set of segments: the sum modulo 2^256 of the SHA-256
// of a line for each, "timeline/id size sha256\n". It does not depend on their
// order, and a segment is taken out of it as easily as put in, so a backup's
// digest costs what changed since the one before. It finds damage; it is no proof
// against somebody who makes up segments.
type Digest [4]uint64

// Term is what a segment adds.
func Term(ref segment.Ref, size int64, sum segment.Digest) Digest {
	return ParseDigest(sha256.Sum256(fmt.Appendf(nil, "%v %d %v\n", ref, size, sum)))
}

// ParseDigest reads a digest as the number, most significant byte first.
func ParseDigest(d segment.Digest) (s Digest) {
	for i := range s {
		s[i] = binary.BigEndian.Uint64(d[8*i:])
	}
	return s
}

// Sum is the inverse of ParseDigest.
func (s *Digest) Sum() (d segment.Digest) {
	for i, v := range s {
		binary.BigEndian.PutUint64(d[8*i:], v)
	}
	return d
}

// Add puts a segment in.
func (s *Digest) Add(t Digest) {
	var carry uint64
	for i := len(s) - 1; i >= 0; i-- {
		s[i], carry = bits.Add64(s[i], t[i], carry)
	}
}

// Remove takes a segment out.
func (s *Digest) Remove(t Digest) {
	var borrow uint64
	for i := len(s) - 1; i >= 0; i-- {
		s[i], borrow = bits.Sub64(s[i], t[i], borrow)
	}
}
