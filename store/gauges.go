package store

import (
	"sync/atomic"
	"time"
)

// Metrics are figures for a monitor. Reading them takes no lock that a commit
// or a read ever waits for, whatever the size of the store, so they are as of
// the last write to a log: with SyncEvery(d), up to d/2 old.
type Metrics struct {
	Objects    int64
	KeyBytes   int64 // of all keys
	IndexBytes int64 // heap that the index holds
	LiveBytes  int64 // of the records of the objects
	FileBytes  int64 // of all segments, footers apart
	Segments   int64 // the newest log included
	LastSeq    uint64
	Unsealed   int64 // logs that wait for their seal
	Unwritten  int64 // bytes committed and still in memory

	Written int64     // bytes to logs, since the open
	Syncs   Histogram // of logs, since the open: seconds that each took
	Waits   Histogram // of commits, since the open: seconds that they waited for the disk, those that did

	DiskFull bool // puts are refused
	Failed   bool // the log takes no commits any more

	Scrub *ScrubStats // nil: nothing is scrubbed
}

// gauges is what Metrics is made of. One goroutine at a time writes to it, or it does
// not matter who is last.
type gauges struct {
	objects, keyBytes, indexBytes, liveBytes, fileBytes atomic.Int64
	segments, lastSeq, unsealed, unwritten              atomic.Int64
	diskFull, failed                                    atomic.Bool
	syncs, waits                                        histogram

	before atomic.Pointer[sizeBefore]
}

// sizeBefore is the size of the first so many segments, which do not change any more.
type sizeBefore struct {
	segments int
	bytes    int64
}

// growing is how many segments, the newest, are counted each time: logs that were rolled
// may wait for their last bytes.
const growing = 64

// gauge brings the gauges up to date. It is called where a log was written to, by who
// wrote, and looks at nothing that grows with the store but the list of segments, when
// that has changed.
func (db *DB) gauge() {
	g := &db.gauges
	v := &db.view
	v.rw.RLock()
	if v.closed {
		v.rw.RUnlock()
		return
	}
	segs, n, m, live := v.segs, v.idx.Len(), v.idx.Memory(), v.idx.LiveBytes()
	v.rw.RUnlock()
	last := segs[len(segs)-1]
	old := max(0, len(segs)-growing)
	b := g.before.Load()
	if b == nil || b.segments != old {
		b = &sizeBefore{old, sizeOfAll(segs[:old])}
		g.before.Store(b)
	}
	g.objects.Store(int64(n))
	g.keyBytes.Store(m.Keys)
	g.indexBytes.Store(m.Heap)
	g.liveBytes.Store(live)
	g.fileBytes.Store(b.bytes + sizeOfAll(segs[old:]))
	g.segments.Store(int64(len(segs)))
	g.lastSeq.Store(int64(last.last.Load()))
	g.unsealed.Store(int64(db.sealer.backlog()))
	db.mu.Lock()
	g.unwritten.Store(db.queued)
	g.diskFull.Store(db.full || db.stuck != nil)
	g.failed.Store(db.err != nil && !db.closing)
	db.mu.Unlock()
}

func sizeOfAll(segs []*segFile) int64 {
	n := int64(0)
	for _, f := range segs {
		n += f.size.Load()
	}
	return n
}

// Metrics returns the figures. After Close they are the last ones.
func (db *DB) Metrics() Metrics {
	g := &db.gauges
	m := Metrics{
		Objects: g.objects.Load(), KeyBytes: g.keyBytes.Load(), IndexBytes: g.indexBytes.Load(),
		LiveBytes: g.liveBytes.Load(), FileBytes: g.fileBytes.Load(), Segments: g.segments.Load(),
		LastSeq: uint64(g.lastSeq.Load()), Unsealed: g.unsealed.Load(), Unwritten: g.unwritten.Load(),
		Written: db.written.Load(), Syncs: g.syncs.read(), Waits: g.waits.read(),
		DiskFull: g.diskFull.Load(), Failed: g.failed.Load(),
	}
	if db.scrubber != nil {
		m.Scrub = db.scrubber.report()
	}
	return m
}

// HistogramBounds are the upper bounds of a Histogram's buckets, in seconds: 10 µs,
// doubled up to 21 s.
func HistogramBounds() []float64 {
	b := make([]float64, histogramBuckets)
	for i := range b {
		b[i] = firstBound.Seconds() * float64(int(1)<<i)
	}
	return b
}

const (
	histogramBuckets = 22
	firstBound       = 10 * time.Microsecond
)

// Histogram counts durations.
type Histogram struct {
	Count  uint64
	Sum    float64                  // seconds
	Counts [histogramBuckets]uint64 // of each bucket alone; what is above the last bound is in Count only
}

// histogram is a Histogram that is counted in without a lock.
type histogram struct {
	counts [histogramBuckets + 1]atomic.Uint64
	sum    atomic.Int64 // ns
}

// observe counts a duration.
func (h *histogram) observe(d time.Duration) {
	i := 0
	for bound := firstBound; d > bound && i < histogramBuckets; bound *= 2 {
		i++
	}
	h.counts[i].Add(1)
	h.sum.Add(int64(d))
}

func (h *histogram) read() Histogram {
	var r Histogram
	for i := range h.counts {
		n := h.counts[i].Load()
		r.Count += n
		if i < histogramBuckets {
			r.Counts[i] = n
		}
	}
	r.Sum = time.Duration(h.sum.Load()).Seconds()
	return r
}
