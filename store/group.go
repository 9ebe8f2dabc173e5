package store

import (
	"time"

	"github.com/varve-db/varve/index"
	"github.com/varve-db/varve/segment"
)

// A group is a stretch of the log that goes to the file in one write: the
// commits that came while the one before was being written.
type group struct {
	log *log
	off int64  // where buf begins in the file
	buf []byte // the header of a new log, then records

	// starts says that the log begins with this group: the log before it has
	// to be ended first, and records begin after a header of this many bytes.
	starts  bool
	records int // where in buf the first record begins

	// Of a store that is not buffered, guarded by DB.mu: how many commits have joined, how
	// many the leader waits for, and what wakes it when they have, or when nobody joins
	// any more. See DB.await.
	commits, want int
	whole         waker

	taken   bool // being written, or kept to be written again: nobody joins any more
	told    bool // the commits that waited have been told of an error
	pending []change
	place   index.Place   // of the first of pending, in a buffered store
	done    chan struct{} // closed when the group is on the disk, or will not be
	err     error         // why it is not; set before done is closed
}

// A change is what a record of a group does to the index, once it is published.
type change struct {
	key  []byte // in the group's buf, since the caller may have gone with an error
	loc  index.Loc
	seq  uint64
	kind segment.RecordKind
}

// apply makes a change in the index. The caller holds v.rw.
func (v *view) apply(c *change) { v.applyAt(c, index.Place{}) }

// applyAt is apply where the place of the key may be known already.
func (v *view) applyAt(c *change, p index.Place) {
	if c.kind == segment.Put {
		v.idx.PutAt(p, c.key, c.loc)
	} else {
		v.idx.Delete(c.key)
	}
	v.doubts.note(c.kind, c.key)
}

// groupSize is how much a group of buffered commits holds before it is written.
// A choice, not a measured optimum.
const groupSize = 256 << 10

// join encodes recs as one batch at the end of the log, in the open group or in
// a new one, and returns that. They take need bytes at most. leads says that the
// group is new. The caller holds db.mu and has been admitted.
func (db *DB) join(recs []segment.Record, need int64, now time.Time) (g *group, leads bool) {
	if !db.log.fits(need) {
		db.roll(need)
	}
	g, leads = db.openGroup(need)
	l, begin, held := g.log, g.log.end, g.memory()
	if len(g.buf) == g.records {
		recs[0].Flags |= segment.FlagVouch // the value is set when it is written
	}
	if l.data == 0 {
		l.begun = now // a log without objects does not age
	}
	last := &recs[len(recs)-1]
	last.Flags |= segment.FlagCommit
	last.Time = db.tick(now)
	if db.buffered() {
		// What this fetches comes while the record is encoded. Only who holds db.mu
		// changes the index of a buffered store, so view.rw is not needed.
		g.place = db.view.idx.Locate(recs[0].Key)
	}
	for i := range recs {
		r := &recs[i]
		r.Seq = db.nextSeq
		db.nextSeq++
		r.Vouch = l.end // overwritten by SetVouch
		start := len(g.buf)
		g.buf = l.seed.AppendRecord(g.buf, l.end, r)
		size := int64(len(g.buf) - start)
		loc := index.Loc{Slot: l.sf.slot, Offset: l.end, Size: size}
		at := len(g.buf) - len(r.Value) - len(r.Slots) - len(r.Meta) - len(r.Key)
		g.pending = append(g.pending, change{key: g.buf[at : at+len(r.Key)], loc: loc, seq: r.Seq, kind: r.Kind})
		l.end += size
		l.data++
	}
	db.queued.Add(l.end - begin)
	db.held += g.memory() - held
	if !db.buffered() {
		if g.commits++; g.commits == g.want {
			g.whole.wake()
		}
	}
	return g, leads
}

// sizeOf is what recs take in the log at most, all but unheard-of sequence
// numbers.
func sizeOf(recs []segment.Record) int64 {
	const most = segment.MaxRecordOverhead
	n := int64(most)
	for i := range recs {
		r := &recs[i]
		n += int64(segment.MinRecord + len(r.Key) + len(r.Meta) + len(r.Slots) + len(r.Value))
		if len(r.Meta)+len(r.Slots) > 0 || r.Expiry != 0 {
			n += most - segment.MinRecord
		}
	}
	return n
}

// openGroup returns the group that takes the next records of the log, need bytes of them.
// A commit that is larger than most groups gets a buffer of its own size, rather than have
// another one grow around it, which would copy both.
func (db *DB) openGroup(need int64) (g *group, leads bool) {
	if n := len(db.queue); n > 0 {
		g := db.queue[n-1]
		open := !g.taken && g.log == db.log
		if open && (need <= groupSize || int64(cap(g.buf)-len(g.buf)) >= need) {
			return g, g.done == nil
		}
	}
	return db.addGroup(&group{log: db.log, off: db.log.end, buf: db.buffer(need)}), true
}

// addGroup puts g at the end of the queue. Nobody joins those before it any more.
func (db *DB) addGroup(g *group) *group {
	if n := len(db.queue); n > 0 {
		last := db.queue[n-1]
		last.taken = true
		last.whole.wake()
		if db.buffered() {
			db.flusher.wake() // many small logs would fill the memory until the next sync is due
		}
	}
	db.queue = append(db.queue, g)
	db.held += g.memory()
	return g
}

// groupMemory is about what a group takes beside its buffer: itself, and, where it begins
// a log, that log and its header.
const groupMemory = 2 << 10

// memory returns how much memory the group takes.
func (g *group) memory() int64 { return int64(cap(g.buf)) + groupMemory }

// buffer returns an empty buffer for a group that begins with need bytes. No buffer is
// larger than what a segment can hold, unless one commit is.
func (db *DB) buffer(need int64) []byte {
	if n := len(db.free); n > 0 && need <= groupSize {
		b := db.free[n-1]
		db.free = db.free[:n-1]
		return b[:0]
	}
	if db.buffered() {
		need = max(need, min(groupSize+groupSize/4, db.opt.SegmentSize+4096))
	}
	return make([]byte, 0, max(need, 4096))
}

// recycle keeps a written group's buffer for another.
func (db *DB) recycle(g *group) {
	if cap(g.buf) <= 1<<20 && len(db.free) < 8 {
		db.free = append(db.free, g.buf)
	}
	g.buf = nil
}

// tick returns the time of the next commit: the clock's, but never the same
// twice and never earlier than the last.
func (db *DB) tick(now time.Time) int64 {
	db.lastTime = segment.NextTime(db.lastTime, now)
	return db.lastTime
}
