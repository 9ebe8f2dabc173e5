package store

import (
	"sync/atomic"
	"time"
)

// Metrics are figures for a monitor, as of the last commit. Reading them takes the
// same time whatever the size of the store, and waits for no disk.
type Metrics struct {
	Objects    int64  `json:"objects"`          // keys that have a value
	LastSeq    uint64 `json:"last_seq"`         // sequence number of the newest visible change
	KeyBytes   int64  `json:"key_bytes"`        // of all keys
	IndexBytes int64  `json:"index_bytes"`      // heap that the index holds, the keys included
	LiveBytes  int64  `json:"live_bytes"`       // of the records of the objects
	FileBytes  int64  `json:"file_bytes"`       // written to all segments, footers apart; what is committed beyond that is in Unwritten
	Unsealed   int64  `json:"unsealed"`         // logs that wait for their seal
	Unwritten  int64  `json:"unwritten_bytes"`  // committed and still in memory
	Written    int64  `json:"written_bytes"`    // to logs, since the open
	DiskFull   bool   `json:"disk_full"`        // puts are refused
	Failed     string `json:"failed,omitempty"` // why the log takes no commits any more

	Scrub *ScrubStats `json:"scrub,omitempty"` // nil: nothing is scrubbed

	SegmentCount int64     `json:"-"` // the newest log included
	SyncTimes    Histogram `json:"-"` // of logs, since the open: seconds that each took
	WaitTimes    Histogram `json:"-"` // of commits, since the open: seconds that they waited for the disk, those that did
}

// gauges is what Metrics reads beside the view.
type gauges struct {
	fileBytes    atomic.Int64 // of all segments; added to by who writes
	unsealed     atomic.Int64
	diskFull     atomic.Bool
	failed       atomic.Pointer[string] // nil: it is not
	syncs, waits histogram

	last atomic.Pointer[Metrics] // of a closed store
}

// gauge brings up to date what no commit changes. It is called by who wrote to a log.
func (db *DB) gauge() {
	g := &db.gauges
	g.unsealed.Store(int64(db.sealer.backlog()))
	db.mu.Lock()
	if db.err != nil && !db.closing {
		why := db.err.Error()
		g.failed.Store(&why)
	}
	db.mu.Unlock()
}

// setFull notes whether puts are refused. The caller holds db.mu.
func (db *DB) setFull(full bool) {
	db.full = full
	db.gauges.diskFull.Store(full || db.stuck != nil)
}

// Metrics returns the figures. After Close they are those at the close. A commit may
// wait for a call as it waits for a Get: while a few words are copied.
func (db *DB) Metrics() Metrics {
	if m := db.gauges.last.Load(); m != nil {
		return *m
	}
	v := &db.view
	v.rw.RLock()
	defer v.rw.RUnlock()
	if v.closed {
		return *db.gauges.last.Load()
	}
	return db.metrics()
}

// metrics returns the figures of an open store. The caller holds view.rw.
func (db *DB) metrics() Metrics {
	g := &db.gauges
	m := db.view.metrics()
	m.FileBytes, m.Unwritten = g.fileBytes.Load(), db.queued.Load()
	m.Unsealed, m.DiskFull = g.unsealed.Load(), g.diskFull.Load()
	if why := g.failed.Load(); why != nil {
		m.Failed = *why
	}
	m.Written, m.SyncTimes, m.WaitTimes = db.written.Load(), g.syncs.read(), g.waits.read()
	if db.scrubber != nil {
		m.Scrub = db.scrubber.report()
	}
	return m
}

// metrics returns what the index tells. The caller holds v.rw.
func (v *view) metrics() Metrics {
	mem := v.idx.Memory()
	m := Metrics{Objects: int64(v.idx.Len()), KeyBytes: mem.Keys, IndexBytes: mem.Heap, LiveBytes: v.idx.LiveBytes(), SegmentCount: int64(len(v.segs))}
	if n := len(v.segs); n > 0 {
		m.LastSeq = v.segs[n-1].last.Load()
	}
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
