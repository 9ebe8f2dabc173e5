package index

import "bytes"

const (
	leafCap    = 128 // a power of two: indexes are masked instead of checked
	leafMask   = leafCap - 1
	leafInline = 96   // bytes of the common prefix that a leaf holds itself
	leafBytes  = 3200 // the size class that a leaf is allocated in
)

// leaf is a sorted run of keys. All keys of a leaf begin with the same skip
// bytes; prefix holds the next eight of each, big-endian and padded with
// zeros, so that comparing integers decides nearly every comparison. Keys
// that tie (also "a" and "a\x00", by the padding) are compared in the arena.
//
// It holds no pointers, so that the collector does not look inside.
type leaf struct {
	epoch  uint64 // when it was made; see Index.writable
	n      uint16
	skip   uint16
	last   int16 // where the last key was inserted
	run    int16 // inserts in a row that were ascending, or negative, descending
	common [leafInline]byte
	prefix [leafCap]uint64
	ref    [leafCap]uint64 // slot and place of the key, by packRef
	pos    [leafCap]uint64 // offset and size, by packPos
}

func (f *leaf) len() int          { return int(f.n) }
func (f *leaf) ref40(i int) ref   { return ref(f.ref[i&leafMask] & (1<<refBits - 1)) }
func (f *leaf) loc(i int) Loc     { return unpack(f.ref[i&leafMask], f.pos[i&leafMask]) }
func (f *leaf) slot(i int) uint32 { return uint32(f.ref[i&leafMask] >> refBits) }

// key returns the key of item i, in the arena.
func (f *leaf) key(k keys, i int) []byte { return k.at(f.ref40(i)) }

// set changes where the record of item i lies.
func (f *leaf) set(i int, l Loc) {
	f.ref[i] = packRef(l.Slot, f.ref40(i))
	f.pos[i] = packPos(l)
}

// shared returns the skip bytes that all keys of the leaf begin with.
func (f *leaf) shared(k keys) []byte {
	if f.skip <= leafInline {
		return f.common[:f.skip]
	}
	return f.key(k, 0)[:f.skip]
}

// lowerBound returns the first item whose prefix is not below p. It branches:
// leaves are rarely in a cache, and loads that are guessed ahead save as much
// as wrong guesses cost.
func (f *leaf) lowerBound(p uint64) int {
	lo, hi := 0, int(f.n)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if f.prefix[mid&leafMask] < p {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// find returns the item of a key.
func (f *leaf) find(k keys, key []byte) (int, bool) {
	i, found := f.candidate(k, key)
	return i, found && bytes.Equal(f.key(k, i), key)
}

// candidate returns the only item that can have a key. The key need not
// begin with the common bytes: then its prefix means nothing, but no whole key
// will equal it.
func (f *leaf) candidate(k keys, key []byte) (int, bool) {
	p := prefixAt(key, int(f.skip))
	i := f.lowerBound(p)
	if i == int(f.n) || f.prefix[i&leafMask] != p {
		return i, false
	}
	if i+1 < int(f.n) && f.prefix[(i+1)&leafMask] == p {
		return f.search(k, key, i, p)
	}
	return i, true
}

// place returns where a key stands, or else where it would be inserted. The
// key must begin with the common bytes; see cover and seek.
func (f *leaf) place(k keys, key []byte) (int, bool) {
	p := prefixAt(key, int(f.skip))
	i := f.lowerBound(p)
	if i == int(f.n) || f.prefix[i&leafMask] != p {
		return i, false
	}
	return f.search(k, key, i, p)
}

// search looks for a key among the items from i on that have the prefix p.
func (f *leaf) search(k keys, key []byte, i int, p uint64) (int, bool) {
	end := i + 1
	for end < int(f.n) && f.prefix[end&leafMask] == p {
		end++
	}
	for i < end {
		mid := int(uint(i+end) >> 1)
		switch c := bytes.Compare(f.key(k, mid), key); {
		case c == 0:
			return mid, true
		case c < 0:
			i = mid + 1
		default:
			end = mid
		}
	}
	return i, false
}

// seek returns the first item that is not below key, for any key.
func (f *leaf) seek(k keys, key []byte) int {
	head := key[:min(len(key), int(f.skip))]
	switch c := bytes.Compare(head, f.shared(k)); {
	case c < 0:
		return 0
	case c > 0:
		return int(f.n)
	}
	i, _ := f.place(k, key)
	return i
}

// insert puts an item at i. There must be room, and the key must begin with
// the common bytes.
func (f *leaf) insert(i int, prefix, ref, pos uint64) {
	n := int(f.n)
	copy(f.prefix[i+1:n+1], f.prefix[i:n])
	copy(f.ref[i+1:n+1], f.ref[i:n])
	copy(f.pos[i+1:n+1], f.pos[i:n])
	f.prefix[i], f.ref[i], f.pos[i] = prefix, ref, pos
	f.n++
	f.note(i)
}

// note keeps count of inserts in a row, which tell split where more will come.
func (f *leaf) note(i int) {
	switch {
	case i == int(f.last)+1:
		f.run = min(max(f.run, 0)+1, leafCap)
	case i == int(f.last):
		f.run = max(min(f.run, 0)-1, -leafCap)
	default:
		f.run = 0
	}
	f.last = int16(i)
}

// remove takes item i out.
func (f *leaf) remove(i int) {
	n := int(f.n)
	copy(f.prefix[i:n-1], f.prefix[i+1:n])
	copy(f.ref[i:n-1], f.ref[i+1:n])
	copy(f.pos[i:n-1], f.pos[i+1:n])
	f.n--
	f.run, f.last = 0, -2
}
