package index

import "bytes"

// A Builder fills leaves to between builderLeast items and all of leafCap, each
// to another degree, about builderFill on average. Room is left so that the
// first puts afterwards do not split every leaf, and not the same in each, so
// that later ones do not split all of them at the same time: filled alike, to
// 7/8, leaves were half empty after a quarter more of random keys, and took half
// as much again for each key.
const (
	builderLeast = leafCap * 9 / 16
	builderFill  = (builderLeast + leafCap) / 2
)

// builderRoom is how many items go into the n-th leaf of a Builder.
func builderRoom(n int) uint16 {
	const spread = leafCap - builderLeast + 1
	return uint16(builderLeast + n*(spread*5/8)%spread) // neighbors differ, and all degrees come in turn
}

// Builder makes an index from keys in ascending order, several times faster
// than puts do, and with fuller leaves.
type Builder struct {
	x       *Index
	leaf    *leaf
	room    uint16 // items that the leaf takes
	lastMax []byte // the highest key of the leaf before, in the arena
}

// NewBuilder returns a builder of an index.
func NewBuilder() *Builder {
	x := New()
	return &Builder{x: x, leaf: x.dir.find(nil).leaf, room: builderRoom(0)}
}

// Add adds a key, which must be above all keys added so far. The bytes of key
// are copied. It panics if the key is not above them or is longer than
// MaxKeyLen, or if l is out of its limits.
func (b *Builder) Add(key []byte, l Loc) {
	checkKey(key)
	l.check()
	if b.x.n > 0 && bytes.Compare(key, b.last()) <= 0 {
		panic("index: keys added to a Builder out of order")
	}
	b.add(key, l)
}

// add adds a key that is known to be in order and within its limits.
func (b *Builder) add(key []byte, l Loc) {
	if b.leaf.n == b.room {
		b.flush()
		b.leaf = b.x.newLeaf()
	}
	f := b.leaf
	i := f.n
	f.ref[i] = packRef(l.Slot, b.x.arena.add(key))
	f.pos[i] = packPos(l)
	f.n++
	b.x.n++
	b.x.slots.add(l)
}

// last returns the key that was added last.
func (b *Builder) last() []byte {
	if b.leaf.n == 0 {
		return b.lastMax
	}
	return b.leaf.key(b.x.arena.chunks, int(b.leaf.n)-1)
}

// flush finishes the leaf.
func (b *Builder) flush() {
	f, k := b.leaf, b.x.arena.chunks
	if f.n == 0 {
		return
	}
	first, last := f.key(k, 0), f.key(k, int(f.n)-1)
	f.fill(k, first[:commonLen(first, last)])
	if b.lastMax != nil { // the first leaf stands in the directory
		b.x.dir.add(separator(b.lastMax, first), f)
	}
	b.lastMax = last
	b.room = builderRoom(b.x.leaves)
}

// Finish returns the index. The builder must not be used afterwards.
func (b *Builder) Finish() *Index {
	b.flush()
	x := b.x
	*b = Builder{}
	return x
}
