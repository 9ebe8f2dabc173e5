package store

import (
	"sync/atomic"
	"time"
)

// Metrics are figures for a monitor, as of the last commit. Reading them takes the
// same time whatever the size of the store, and waits for no disk.
type Metrics struct {
	Objects    int64
	KeyBytes   int64 // of all keys
	IndexBytes int64 // heap that the index holds
	LiveBytes  int64 // of the records of the objects
	FileBytes  int64 // written to all segments, footers apart; what is committed beyond that is in Unwritten
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

// gauges is what Metrics reads beside the view.
type gauges struct {
	fileBytes        atomic.Int64 // of all segments; added to by who writes
	unsealed         atomic.Int64
	diskFull, failed atomic.Bool
	syncs, waits     histogram

	last atomic.Pointer[Metrics] // of a closed store
}

// gauge brings up to date what no commit changes. It is called by who wrote to a log.
func (db *DB) gauge() {
	g := &db.gauges
	g.unsealed.Store(int64(db.sealer.backlog()))
	db.mu.Lock()
	g.diskFull.Store(db.full || db.stuck != nil)
	g.failed.Store(db.err != nil && !db.closing)
	db.mu.Unlock()
}

// Metrics returns the figures. After Close they are those at the close. A commit may
// wait for a call as it waits for a Get: while a few words are copied.
func (db *DB) Metrics() Metrics {
	if m := db.gauges.last.Load(); m != nil {
		return *m
	}
	g := &db.gauges
	m := Metrics{
		Unsealed: g.unsealed.Load(), DiskFull: g.diskFull.Load(), Failed: g.failed.Load(),
		Written: db.written.Load(), Syncs: g.syncs.read(), Waits: g.waits.read(),
	}
	if db.scrubber != nil {
		m.Scrub = db.scrubber.report()
	}
	v := &db.view
	v.rw.RLock()
	defer v.rw.RUnlock()
	if v.closed {
		return *g.last.Load()
	}
	mem := v.idx.Memory()
	m.Objects, m.KeyBytes, m.IndexBytes, m.LiveBytes = int64(v.idx.Len()), mem.Keys, mem.Heap, v.idx.LiveBytes()
	m.Segments, m.LastSeq = int64(len(v.segs)), v.segs[len(v.segs)-1].last.Load()
	m.FileBytes, m.Unwritten = g.fileBytes.Load(), db.queued.Load()
	return m
}

// sizeOfAll returns what can be read of segments, in bytes.
func sizeOfAll(segs []*segFile) int64 {
	n := int64(0)
	for _, f := range segs {
		n += f.size.Load()
	}
	return n
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
