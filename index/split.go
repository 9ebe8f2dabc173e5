package index

const (
	minRun   = 8               // inserts in a row that make split expect more of them
	mergeAt  = leafCap / 4     // items; a leaf with no more looks for a neighbor
	mergeMax = leafCap * 3 / 4 // items; what two leaves may have together to become one
)

// item is what a leaf holds of a key.
type item struct{ prefix, ref, pos uint64 }

// insert puts an item at i into the leaf of e, which must be writable, and
// splits the leaf if it is full.
func (x *Index) insert(e entry, i int, it item) {
	if e.leaf.len() < leafCap {
		e.leaf.insert(i, it.prefix, it.ref, it.pos)
		return
	}
	x.split(e, i, it)
}

// split divides the full leaf of e in two, with the new item at i. Where keys
// come in a row, it divides at the new one, so that leaves stay full; else in
// the middle.
func (x *Index) split(e entry, i int, it item) {
	left, right := e.leaf, x.newLeaf()
	at, toLeft := leafCap/2, i <= leafCap/2
	switch {
	case left.run >= minRun && i == int(left.last)+1:
		at, toLeft = i, i < leafCap
	case left.run <= -minRun && i == int(left.last):
		at, toLeft = i, i == 0
	}
	right.takeFrom(left, at)
	if toLeft {
		left.insert(i, it.prefix, it.ref, it.pos)
	} else {
		right.insert(i-at, it.prefix, it.ref, it.pos)
	}
	k := x.arena.chunks
	left.tighten(k)
	right.tighten(k)
	x.dir.add(separator(left.key(k, left.len()-1), right.key(k, 0)), right)
}

// takeFrom moves the items of o from at on into the empty leaf f. Both are
// taken to go on as they were filled, which is what run says.
func (f *leaf) takeFrom(o *leaf, at int) {
	f.skip, f.common = o.skip, o.common
	f.n = uint16(copy(f.prefix[:], o.prefix[at:o.n]))
	copy(f.ref[:], o.ref[at:o.n])
	copy(f.pos[:], o.pos[at:o.n])
	f.run, f.last = o.run, o.last-int16(at)
	o.n = uint16(at)
}

// separator returns the shortest key above a that is not above b.
func separator(a, b []byte) string {
	return string(b[:commonLen(a, b)+1])
}

// shrink looks after the leaf of e when an item was taken from it: it is
// merged with a neighbor if they fit well into one. Neighbors are looked at
// only at some sizes, since looking costs more than the delete.
func (x *Index) shrink(e entry) {
	n := e.leaf.len()
	if x.n == 0 {
		x.arena.reset()
	}
	if n > mergeAt || n%8 != 0 {
		return
	}
	if r, ok := x.dir.next(e); ok && (n == 0 || n+r.leaf.len() <= mergeMax) {
		x.merge(e, r)
	} else if l, ok := x.dir.prev(e); ok && (n == 0 || n+l.leaf.len() <= mergeMax) {
		x.merge(l, e)
	}
}

// merge makes one leaf of two neighbors.
func (x *Index) merge(l, r entry) {
	sep := r.sep()
	switch {
	case r.leaf.n == 0:
	case l.leaf.n == 0:
		x.dir.replace(l, r.leaf)
	default:
		x.writable(l).leaf.join(x.arena.chunks, r.leaf)
	}
	x.dir.remove(sep)
	x.leaves--
}

// join appends the items of o, which follow those of f; o stays as it was.
func (f *leaf) join(k keys, o *leaf) {
	c := *o
	skip := commonLen(f.shared(k), c.shared(k))
	f.lower(k, skip)
	c.lower(k, skip)
	copy(f.prefix[f.n:], c.prefix[:c.n])
	copy(f.ref[f.n:], c.ref[:c.n])
	copy(f.pos[f.n:], c.pos[:c.n])
	f.n += c.n
	f.run, f.last = 0, -2
}
