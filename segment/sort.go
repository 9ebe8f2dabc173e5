package segment

import (
	"cmp"
	"slices"
)

// ranked stands for an item while the items are sorted.
type ranked struct {
	prefix uint64 // see keyPrefix
	item   uint32
}

// prefixSize is how many bytes of a key are compared at once.
const prefixSize = 7

// keyPrefix returns seven bytes of what is left of a key, and in its lowest
// byte how many of them there are; 8 says that more follow. Two equal prefixes
// of another lowest byte are of equal keys.
func keyPrefix(k []byte) uint64 {
	if len(k) > prefixSize {
		return be.Uint64(k)&^0xff | prefixSize + 1
	}
	var b [8]byte
	copy(b[:], k)
	b[prefixSize] = byte(len(k))
	return be.Uint64(b[:])
}

// sorter orders items by key, in time linear in the bytes of the keys.
type sorter struct {
	key     func(item uint32) []byte
	scratch []ranked
}

// sort orders v by key, of which the first depth bytes are the same in all.
// Equal keys stay in the order in which they are. What all keys begin with is
// passed over first, so each level splits what it is given.
func (s *sorter) sort(v []ranked, depth int) {
	depth = s.common(v, depth)
	for i := range v {
		v[i].prefix = keyPrefix(s.key(v[i].item)[depth:])
	}
	s.byPrefix(v)
	for len(v) > 0 {
		n := 1
		for n < len(v) && v[n].prefix == v[0].prefix {
			n++
		}
		if n > 1 && v[0].prefix&0xff > prefixSize {
			s.sort(v[:n], depth+prefixSize)
		}
		v = v[n:]
	}
}

// common returns how many bytes, at least depth, all keys have in common.
func (s *sorter) common(v []ranked, depth int) int {
	if len(v) == 0 {
		return depth
	}
	first := s.key(v[0].item)
	n := len(first)
	for _, r := range v[1:] {
		if n = depth + shared(first[depth:n], s.key(r.item)[depth:]); n == depth {
			break
		}
	}
	return n
}

// byPrefix orders v by prefix, and is stable: digit by digit, from the lowest,
// where v is large enough to be worth the count.
func (s *sorter) byPrefix(v []ranked) {
	const few = 512
	if len(v) < few {
		slices.SortStableFunc(v, func(a, b ranked) int { return cmp.Compare(a.prefix, b.prefix) })
		return
	}
	var counts [8][256]uint32
	for _, r := range v {
		for d := range counts {
			counts[d][byte(r.prefix>>(8*d))]++
		}
	}
	from, to := v, s.scratch[:len(v)]
	for d := range counts {
		if counts[d][byte(v[0].prefix>>(8*d))] == uint32(len(v)) {
			continue // the same digit in all
		}
		var at uint32
		for i, n := range counts[d] {
			counts[d][i] = at
			at += n
		}
		for _, r := range from {
			digit := byte(r.prefix >> (8 * d))
			to[counts[d][digit]] = r
			counts[d][digit]++
		}
		from, to = to, from
	}
	if &from[0] != &v[0] {
		copy(v, from)
	}
}
