package index

const (
	walkKeys    = 4    // keys looked at with one change, at least
	walkMaxKeys = 64   // and at most, when many chunks wait
	walkBytes   = 4096 // bytes of keys moved with one change, but for one key
)

// walk is where an evacuation stands.
type walk struct {
	active bool
	chunk  int
	offset int
}

// evacuate goes on with giving dead bytes back: it walks a chunk in which
// less than half is alive and moves the living keys to the newest chunk. When
// none is left, the chunk is dropped.
//
// A chunk qualifies only once half of its bytes died, each by a delete, so a
// few keys with each change keep up with them; the more chunks wait, the more
// keys are looked at, since with keys of unlike lengths one delete can
// condemn a chunk of many.
func (x *Index) evacuate() {
	a := &x.arena
	if !a.walk.active && len(a.queue) == 0 {
		return
	}
	budget := min(walkKeys*(1+len(a.queue)), walkMaxKeys)
	for moved := 0; budget > 0 && moved < walkBytes && a.nextChunk(); budget-- {
		moved += x.evacuateKey()
	}
}

// nextChunk makes sure that a walk is under way, if there is work.
func (a *arena) nextChunk() bool {
	for !a.walk.active && len(a.queue) > 0 {
		c := a.queue[0]
		a.queue = a.queue[1:]
		// A chunk that died while it waited was dropped, and its number may
		// belong to another by now.
		if a.meta[c].queued {
			a.walk = walk{active: true, chunk: c}
		}
	}
	return a.walk.active
}

// evacuateKey handles the next key of the walk and returns the bytes moved.
func (x *Index) evacuateKey() int {
	a := &x.arena
	r := ref(a.walk.chunk<<chunkBits | a.walk.offset)
	key := a.chunks.at(r)
	a.walk.offset += lengthSize + len(key)
	e := x.dir.find(key)
	i, found := e.leaf.find(a.chunks, key)
	if !found || e.leaf.ref40(i) != r {
		return 0 // dead, or put anew since and standing elsewhere
	}
	f := x.writable(e).leaf
	f.ref[i] = packRef(f.slot(i), a.add(key))
	a.kill(r, len(key)) // drops the chunk after its last key
	return len(key)
}
