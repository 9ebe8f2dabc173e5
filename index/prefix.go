package index

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// minGain is how many bytes longer the common prefix of a leaf must have
// become before it is worth reading all of its keys to move the prefixes on.
const minGain = 4

// prefixAt returns the eight bytes of key from skip on, padded with zeros.
func prefixAt(key []byte, skip int) uint64 {
	if len(key) >= skip+8 {
		return binary.BigEndian.Uint64(key[skip:])
	}
	var p uint64
	for i := skip; i < len(key); i++ {
		p |= uint64(key[i]) << (56 - 8*(i-skip))
	}
	return p
}

// commonLen returns the length of the longest common prefix of a and b.
func commonLen(a, b []byte) int {
	n := min(len(a), len(b))
	i := 0
	for ; i+8 <= n; i += 8 {
		if x := binary.LittleEndian.Uint64(a[i:]) ^ binary.LittleEndian.Uint64(b[i:]); x != 0 {
			return i + bits.TrailingZeros64(x)/8
		}
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

// cover lowers the skip of the leaf until key, too, begins with the common bytes.
func (f *leaf) cover(k keys, key []byte) {
	if f.n == 0 {
		f.setCommon(key)
		return
	}
	s := f.shared(k)
	if len(key) < len(s) || !bytes.Equal(key[:len(s)], s) {
		f.lower(k, commonLen(key, s))
	}
}

// lower shortens the common prefix to skip bytes. The bytes that move into
// the prefixes are the same for all keys, so the arena need not be read.
func (f *leaf) lower(k keys, skip int) {
	s := f.shared(k)
	d := len(s) - skip
	if d == 0 {
		return
	}
	head := prefixAt(s, skip)
	shift := 8 * min(d, 8) // a shift by 64 gives zero
	for i := range f.prefix[:f.n] {
		f.prefix[i] = head | f.prefix[i]>>shift
	}
	f.setCommon(s[:skip])
}

// tighten lengthens the common prefix to what the keys of the leaf share, if
// that is much more than it was.
func (f *leaf) tighten(k keys) {
	if f.n == 0 {
		return
	}
	first := f.key(k, 0)
	n := commonLen(first, f.key(k, int(f.n)-1))
	if n < int(f.skip)+minGain {
		return
	}
	f.fill(k, first[:n])
}

// fill sets the common prefix and computes all prefixes from the keys.
func (f *leaf) fill(k keys, common []byte) {
	f.setCommon(common)
	for i := range f.prefix[:f.n] {
		f.prefix[i] = prefixAt(f.key(k, i), len(common))
	}
}

// setCommon sets the common prefix, and leaves the prefixes to the caller.
func (f *leaf) setCommon(common []byte) {
	f.skip = uint16(len(common))
	if len(common) <= leafInline {
		copy(f.common[:], common)
	}
}
