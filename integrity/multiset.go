package integrity

import (
	"hash/maphash"
	"math/bits"

	"github.com/varve-db/varve/segment"
)

// multiset stands for a number of entries of a table, in whatever order they came:
// the sum of a hash of each. The hash has a random seed, so no one can make two
// different ones alike; by chance they are with a probability of about 2⁻⁶⁴.
type multiset struct {
	keys   *hashKeys
	n      int64
	lo, hi uint64
}

// hashKeys are the seeds that two multisets to be compared share.
type hashKeys struct {
	seed maphash.Seed
	k    [6]uint64
}

func newHashKeys() *hashKeys {
	s := &hashKeys{seed: maphash.MakeSeed()}
	for i := range s.k {
		s.k[i] = maphash.Bytes(s.seed, []byte{byte(i)})
	}
	return s
}

// fold mixes two words into one.
func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// add adds an entry, all of its fields.
func (m *multiset) add(e *segment.Entry) {
	k := &m.keys.k
	key := maphash.Bytes(m.keys.seed, e.Key)
	x := fold(key^k[0], e.Seq^k[1])
	x = fold(x^uint64(e.Offset), uint64(e.Size)<<16|uint64(e.Flags)<<8|uint64(e.Kind)^k[2])
	if e.Expiry != 0 || len(e.Slots) > 0 {
		x = fold(x^uint64(e.Expiry)^k[3], maphash.Bytes(m.keys.seed, e.Slots)^k[4])
	}
	hi, lo := bits.Mul64(x^k[5], key)
	m.n++
	m.lo += lo
	m.hi += hi ^ x
}

// equal reports whether both hold the same entries.
func (m *multiset) equal(o *multiset) bool { return m.n == o.n && m.lo == o.lo && m.hi == o.hi }
