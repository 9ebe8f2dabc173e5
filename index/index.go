package index

import "fmt"

// Index maps keys to locations. See the package comment for its limits and
// for what may run at the same time.
type Index struct {
	dir    directory
	arena  arena
	slots  slots
	n      int
	leaves int
	snaps  snapshots
}

// New returns an empty index.
func New() *Index {
	x := &Index{arena: arena{cur: -1}}
	x.snaps.epoch = 1
	x.dir = newDirectory(&x.snaps, x.newLeaf())
	return x
}

// newLeaf returns an empty leaf that no snapshot knows.
func (x *Index) newLeaf() *leaf {
	x.leaves++
	return &leaf{epoch: x.snaps.epoch, last: -2}
}

// writable returns e if no open snapshot can see its leaf, or else the entry
// with a copy of the leaf that takes its place in the directory.
func (x *Index) writable(e entry) entry {
	if !x.snaps.see(e.leaf.epoch) {
		return e
	}
	c := new(leaf)
	*c = *e.leaf
	c.epoch = x.snaps.epoch
	x.snaps.retain(leafBytes)
	return x.dir.replace(e, c)
}

// checkKey panics if a key is longer than MaxKeyLen.
func checkKey(key []byte) {
	if len(key) > MaxKeyLen {
		panic(fmt.Sprintf("index: key of %d bytes, the limit is %d", len(key), MaxKeyLen))
	}
}

// Put sets the location of a key and returns the one that it had, if any. The
// bytes of key are copied. It panics if the key is longer than MaxKeyLen or l
// is out of its limits.
func (x *Index) Put(key []byte, l Loc) (old Loc, replaced bool) {
	return x.PutAt(Place{}, key, l)
}

// PutAt is Put at the place that Locate found for the key, since when the index
// must not have changed, or wherever it belongs if the place is zero.
func (x *Index) PutAt(p Place, key []byte, l Loc) (old Loc, replaced bool) {
	checkKey(key)
	l.check()
	if p.at.leaf == nil {
		p.at = x.dir.find(key)
	}
	e := x.writable(p.at)
	f := e.leaf
	f.cover(x.arena.chunks, key)
	i, found := f.place(x.arena.chunks, key)
	if found {
		old = f.loc(i)
		f.set(i, l)
		x.slots.remove(old)
	} else {
		r := x.arena.add(key)
		x.insert(e, i, item{prefixAt(key, int(f.skip)), packRef(l.Slot, r), packPos(l)})
		x.n++
	}
	x.slots.add(l)
	x.evacuate()
	return old, found
}

// Move changes the location of a key to to if it is from, and says whether it
// was: how compaction adopts a record unless a newer one came between. It
// panics if to is out of its limits.
func (x *Index) Move(key []byte, from, to Loc) bool {
	to.check()
	e := x.dir.find(key)
	i, found := e.leaf.find(x.arena.chunks, key)
	if !found || e.leaf.loc(i) != from {
		return false
	}
	x.writable(e).leaf.set(i, to)
	x.slots.remove(from)
	x.slots.add(to)
	return true
}

// Delete removes a key and returns the location that it had, if any.
func (x *Index) Delete(key []byte) (old Loc, found bool) {
	e := x.dir.find(key)
	i, found := e.leaf.find(x.arena.chunks, key)
	if found {
		e = x.writable(e)
		f := e.leaf
		old = f.loc(i)
		x.arena.kill(f.ref40(i), len(key))
		f.remove(i)
		x.slots.remove(old)
		x.n--
		x.shrink(e)
	}
	x.evacuate()
	return old, found
}

// Get returns the location of a key. It does not allocate, and keeps no hold
// on key.
func (x *Index) Get(key []byte) (Loc, bool) {
	return get(&x.dir, x.arena.chunks, key)
}

// get looks a key up, for an index or a snapshot.
func get(d *directory, k keys, key []byte) (Loc, bool) {
	f := d.find(key).leaf
	if i, found := f.find(k, key); found {
		return f.loc(i), true
	}
	return Loc{}, false
}

// Candidate returns the only location that key can have. It is Get without the
// last look, at the key itself: the caller compares with the key in the record
// there, which it reads anyway. That spares one of the few cache misses that a
// Get consists of.
func (x *Index) Candidate(key []byte) (Loc, bool) {
	return candidate(&x.dir, x.arena.chunks, key)
}

// candidate is Candidate, for an index or a snapshot.
func candidate(d *directory, k keys, key []byte) (Loc, bool) {
	f := d.find(key).leaf
	if i, found := f.candidate(k, key); found {
		return f.loc(i), true
	}
	return Loc{}, false
}

// Len returns the number of keys.
func (x *Index) Len() int { return x.n }

// LiveBytes returns the size of all records that the index refers to, in constant time.
func (x *Index) LiveBytes() int64 { return x.slots.bytes }

// Live returns what the index refers to in the segment with that slot: exact,
// in constant time, and zero for a slot that was never used.
func (x *Index) Live(slot uint32) Live { return x.slots.get(slot) }
