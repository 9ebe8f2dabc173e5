package index

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// The bytes of a key stand in a chunk behind their length, in two bytes.
const (
	refBits    = 40 // 1 TiB of keys
	chunkBits  = 18
	maxChunk   = 1 << chunkBits // bytes; larger ones would cost a put their clearing
	minChunk   = 1 << 12        // bytes; so that a small index is small
	lengthSize = 2
)

// ref is the place of a key in an arena: the chunk's number, then the offset in it.
type ref uint64

func (r ref) chunk() int  { return int(r >> chunkBits) }
func (r ref) offset() int { return int(r & (maxChunk - 1)) }

// keys reads an arena: the chunks by number. A snapshot has its own.
type keys [][]byte

// at returns the key at r, without copying it.
func (k keys) at(r ref) []byte {
	b := k[r.chunk()][r.offset():]
	n := int(binary.LittleEndian.Uint16(b))
	return b[lengthSize : lengthSize+n : lengthSize+n]
}

// arena holds the bytes of all keys. Chunks are only appended to: bytes that
// were handed out never change, whatever becomes of their key.
type arena struct {
	chunks keys
	meta   []chunkMeta // beside chunks, and not seen by snapshots
	free   []int       // numbers of chunks that were dropped
	cur    int         // the chunk that is appended to, or -1
	shared bool        // a snapshot has chunks: copy it before changing an element
	held   int64       // bytes of heap in chunks
	used   int64       // bytes given out in chunks, lengths included
	live   int64       // those that belong to keys of the index
	queue  []int       // chunks to evacuate
	walk   walk        // the evacuation under way
}

// chunkMeta counts the bytes of one chunk.
type chunkMeta struct {
	used   int32
	live   int32
	queued bool // in the queue or under evacuation
}

// add copies key into the arena.
func (a *arena) add(key []byte) ref {
	need := lengthSize + len(key)
	if a.cur < 0 || len(a.chunks[a.cur])-int(a.meta[a.cur].used) < need {
		a.newChunk(need)
	}
	m := &a.meta[a.cur]
	at := int(m.used)
	b := a.chunks[a.cur][at : at+need]
	binary.LittleEndian.PutUint16(b, uint16(len(key)))
	copy(b[lengthSize:], key)
	m.used += int32(need)
	m.live += int32(need)
	a.used += int64(need)
	a.live += int64(need)
	return ref(a.cur<<chunkBits | at)
}

// kill says that the key of n bytes at r is no longer in the index.
func (a *arena) kill(r ref, n int) {
	a.meta[r.chunk()].live -= int32(lengthSize + n)
	a.live -= int64(lengthSize + n)
	a.consider(r.chunk())
}

// newChunk starts a chunk with room for need bytes.
func (a *arena) newChunk(need int) {
	size := min(max(int(a.held)/4, minChunk, need), maxChunk)
	size = 1 << bits.Len(uint(size-1))
	old := a.cur
	if n := len(a.free); n > 0 {
		a.cur = a.free[n-1]
		a.free = a.free[:n-1]
		a.own()
	} else {
		a.cur = len(a.chunks)
		if a.cur >= 1<<(refBits-chunkBits) {
			panic("index: over 1 TiB of keys")
		}
		a.chunks = append(a.chunks, nil)
		a.meta = append(a.meta, chunkMeta{})
	}
	a.chunks[a.cur] = make([]byte, size)
	a.held += int64(size)
	if old >= 0 {
		a.consider(old)
	}
}

// consider drops a chunk in which nothing is alive, and lines up for
// evacuation one in which less than half is.
func (a *arena) consider(c int) {
	m := &a.meta[c]
	switch {
	case c == a.cur:
	case m.live == 0:
		a.drop(c)
	case !m.queued && m.live < m.used/2:
		m.queued = true
		a.queue = append(a.queue, c)
	}
}

// drop gives a chunk back. Snapshots that have it in their own table keep it.
func (a *arena) drop(c int) {
	a.own()
	a.held -= int64(len(a.chunks[c]))
	a.used -= int64(a.meta[c].used)
	a.chunks[c] = nil
	a.meta[c] = chunkMeta{}
	a.free = append(a.free, c)
	if a.walk.active && a.walk.chunk == c {
		a.walk.active = false
	}
}

// reset gives everything back; nothing may be alive.
func (a *arena) reset() {
	*a = arena{cur: -1}
}

// share returns the table of chunks for a snapshot.
func (a *arena) share() keys {
	a.shared = true
	return a.chunks
}

// own makes sure that elements of chunks may be changed. Appending needs no
// copy: a snapshot sees no further than its own length.
func (a *arena) own() {
	if a.shared {
		a.chunks = slices.Clone(a.chunks)
		a.shared = false
	}
}
