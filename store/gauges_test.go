package store

import (
	"math"
	"testing"
	"time"
)

// TestMetricsWaitForNoLock reads the figures while every lock is held that a commit
// or a read takes.
func TestMetricsWaitForNoLock(t *testing.T) {
	db, err := Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, db)
	if err := db.Put([]byte("a"), []byte("1")); err != nil {
		t.Fatal(err)
	}
	db.ioMu.Lock()
	db.mu.Lock()
	db.spare.mu.Lock()
	db.sealer.mu.Lock()
	db.view.rw.Lock()
	got := make(chan Metrics)
	go func() { got <- db.Metrics() }()
	select {
	case m := <-got:
		if m.Objects != 1 || m.LastSeq != 1 {
			t.Errorf("%+v", m)
		}
	case <-time.After(10 * time.Second):
		t.Error("it waits")
	}
	db.view.rw.Unlock()
	db.sealer.mu.Unlock()
	db.spare.mu.Unlock()
	db.mu.Unlock()
	db.ioMu.Unlock()
}

// TestMetricsWhileALogRolls reads the gauges when a log has ended that is not written yet:
// its last bytes count when they are.
func TestMetricsWhileALogRolls(t *testing.T) {
	db, err := Open(t.TempDir(), &Options{Durability: SyncEvery(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, db)
	if err := db.Put([]byte("a"), make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	db.ioMu.Lock()
	db.mu.Lock()
	db.roll()
	db.mu.Unlock()
	db.gauge()
	err = db.drain(true)
	db.ioMu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := db.Metrics().FileBytes, sizeOfAll(db.segs); got != want || want < 1000 {
		t.Errorf("%d bytes, want %d", got, want)
	}
}

// TestHistogram counts durations at, below and above the bounds.
func TestHistogram(t *testing.T) {
	var h histogram
	bounds := HistogramBounds()
	if bounds[0] != 10e-6 || math.Abs(bounds[1]-20e-6) > 1e-12 || bounds[histogramBuckets-1] < 20 {
		t.Fatalf("%v", bounds)
	}
	for _, d := range []time.Duration{0, 10 * time.Microsecond, 10*time.Microsecond + 1, 20 * time.Microsecond, 41 * time.Microsecond, time.Hour} {
		h.observe(d)
	}
	r := h.read()
	if r.Count != 6 || r.Counts[0] != 2 || r.Counts[1] != 2 || r.Counts[2] != 0 || r.Counts[3] != 1 {
		t.Errorf("%+v", r)
	}
	if math.Abs(r.Sum-3600.000081001) > 1e-9 {
		t.Errorf("sum %v", r.Sum)
	}
}
