package index

// Memory says what an index holds of the heap, in bytes.
type Memory struct {
	Heap     int64 // all of it, but for what only snapshots refer to
	Keys     int64 // the bytes of the keys in the index
	Dead     int64 // the bytes of deleted keys that were not given back yet
	Retained int64 // what only open snapshots refer to: leaves, an upper bound
}

// entryHeap is what the directory holds for a leaf, beside the bytes of its
// separator: an entry in a node two thirds full, and rounding.
const entryHeap = 40*3/2 + 8

// Memory returns what the index holds, counted as it changes: constant time.
func (x *Index) Memory() Memory {
	return Memory{
		Heap: int64(x.leaves)*(leafBytes+entryHeap) + x.dir.seps + x.arena.held +
			x.slots.held,
		Keys:     x.arena.live - lengthSize*int64(x.n),
		Dead:     x.arena.used - x.arena.live,
		Retained: x.snaps.retained.Load(),
	}
}

// Estimate returns about how many bytes of heap an index needs for so many
// keys with so many bytes in total when a Builder makes it. After many random
// puts it holds up to a third more.
func Estimate(keys, keyBytes int64) int64 {
	return (keys/builderFill+1)*(leafBytes+entryHeap+16) + keyBytes + lengthSize*keys
}

// Memory returns what the index being built holds so far.
func (b *Builder) Memory() Memory { return b.x.Memory() }
