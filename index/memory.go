package index

// Memory says what an index holds of the heap, in bytes.
type Memory struct {
	Heap     int64 // all of it, but for what only snapshots refer to
	Keys     int64 // the bytes of the keys in the index
	Dead     int64 // the bytes of deleted keys that were not given back yet
	Retained int64 // what only open snapshots refer to: leaves and pages, an upper bound
}

const (
	sepRound = 8           // what the allocation of a separator adds, on average
	topHeap  = 32*3/2 + 16 // what the tree holds for a page, in a node two thirds full, and the flat directory
)

// Memory returns what the index holds, counted as it changes: constant time.
func (x *Index) Memory() Memory {
	return Memory{
		Heap: int64(x.leaves)*(leafBytes+sepRound) + int64(x.dir.pages)*(pageBytes+topHeap) +
			x.dir.seps + x.arena.held + x.slots.held,
		Keys:     x.arena.live - lengthSize*int64(x.n),
		Dead:     x.arena.used - x.arena.live,
		Retained: x.snaps.retained.Load(),
	}
}

// Estimate returns about how many bytes of heap an index needs for so many
// keys with so many bytes in total when a Builder makes it. After many random
// puts it holds up to a third more.
func Estimate(keys, keyBytes int64) int64 {
	leaves := keys/builderFill + 1
	return leaves*(leafBytes+sepRound+16) + (leaves/pageCap+1)*(pageBytes+topHeap) +
		keyBytes + lengthSize*keys
}

// Memory returns what the index being built holds so far.
func (b *Builder) Memory() Memory { return b.x.Memory() }
