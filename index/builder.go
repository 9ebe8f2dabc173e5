package index

import "bytes"

// builderFill is how many items a Builder puts into a leaf: room is left, so
// that the first puts afterwards do not split every leaf.
const builderFill = leafCap * 7 / 8

// Builder makes an index from keys in ascending order, several times faster
// than puts do, and with fuller leaves.
type Builder struct {
	x       *Index
	leaf    *leaf
	lastMax []byte // the highest key of the leaf before, in the arena
}

// NewBuilder returns a builder of an index.
func NewBuilder() *Builder {
	x := New()
	return &Builder{x: x, leaf: x.dir.find(nil).leaf}
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
	if b.leaf.n == builderFill {
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
}

// Finish returns the index. The builder must not be used afterwards.
func (b *Builder) Finish() *Index {
	b.flush()
	x := b.x
	*b = Builder{}
	return x
}
