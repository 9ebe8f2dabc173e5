package store

import (
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/varve-db/varve/segment"
)

// TestMetricsWaitForNoDisk reads the figures while every lock is held under which a disk
// may be waited for, and another reader is at work.
func TestMetricsWaitForNoDisk(t *testing.T) {
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
	db.view.rw.RLock()
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
	db.view.rw.RUnlock()
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
	db.roll(0)
	db.mu.Unlock()
	db.Metrics()
	err = db.drain(true)
	db.ioMu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := db.Metrics().FileBytes, sizeOfAll(db.segs); got != want || want < 1000 {
		t.Errorf("%d bytes, want %d", got, want)
	}
}

// TestMetricsAreOfTheLastCommit looks at the figures after each commit of a store that
// writes nothing for an hour, as a loop does that deletes until a store is small enough.
func TestMetricsAreOfTheLastCommit(t *testing.T) {
	db, err := Open(t.TempDir(), &Options{Durability: SyncEvery(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	want := Metrics{}
	for i := range 20 {
		key := []byte{byte(i)}
		if err := db.Put(key, make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		want.Objects, want.LastSeq = want.Objects+1, want.LastSeq+1
		want.LiveBytes += 100 + segment.MinRecord + 1
		want.Unwritten = want.LiveBytes
		m := db.Metrics()
		if m.Objects != want.Objects || m.LastSeq != want.LastSeq || m.LiveBytes < want.LiveBytes || m.Unwritten < want.Unwritten || m.KeyBytes != want.Objects {
			t.Fatalf("after put %d: %+v, want %+v", i, m, want)
		}
	}
	for i := 19; db.Metrics().Objects > 5; i-- {
		if i < 0 {
			t.Fatal("deleting empties the store")
		}
		if err := db.Delete([]byte{byte(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if n := db.Stats().Objects; n != 5 {
		t.Errorf("%d objects are left, want 5", n)
	}
	mustClose(t, db)
	if m := db.Metrics(); m.Objects != 5 || m.Unwritten != 0 || m.FileBytes < 2000 {
		t.Errorf("after Close: %+v", m)
	}
	if s := db.Stats(); s.Path != "" || s.Segments != nil || s.UUID != (segment.UUID{}) || s.Durability != "" {
		t.Errorf("Stats after Close: %+v", s)
	}
}

// TestFileBytesAreThoseOfTheSegments compares what is counted with a sum over the segments,
// across rolls, seals and reopens.
func TestFileBytesAreThoseOfTheSegments(t *testing.T) {
	dir := t.TempDir()
	for _, every := range []Durability{{}, SyncEvery(time.Hour)} {
		for round := range 3 {
			db, err := Open(dir, &Options{SegmentSize: MinSegmentSize, Durability: every})
			if err != nil {
				t.Fatal(err)
			}
			for i := range 20 {
				if err := db.Put([]byte{byte(i)}, make([]byte, 700)); err != nil {
					t.Fatal(err)
				}
			}
			if err := db.Sync(); err != nil {
				t.Fatal(err)
			}
			if got, want := db.Metrics().FileBytes, db.Stats().FileBytes; got != want {
				t.Errorf("round %d: %d bytes, want %d", round, got, want)
			}
			mustClose(t, db)
		}
	}
}

// TestMemoryOfSmallSegments has a buffered store begin hundreds of logs while none can be
// written. What it takes is little more than what it was given.
func TestMemoryOfSmallSegments(t *testing.T) {
	db, err := Open(t.TempDir(), &Options{SegmentSize: MinSegmentSize, Durability: SyncEvery(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, db)
	before := heap()
	db.ioMu.Lock()
	const n = 200
	for i := range n {
		if err := db.Put([]byte{byte(i >> 8), byte(i)}, make([]byte, 3000)); err != nil {
			t.Fatal(err)
		}
	}
	took, held := heap()-before, db.held
	db.ioMu.Unlock()
	if took > 16<<20 || held < n*3000 || held > 16<<20 {
		t.Errorf("%d puts of 3 kB take %d bytes of heap, and %d are counted", n, took, held)
	}
	if err := db.Sync(); err != nil {
		t.Fatal(err)
	}
	if db.held != 0 || db.Metrics().Unwritten != 0 {
		t.Errorf("%d and %d bytes are counted as unwritten after Sync", db.held, db.Metrics().Unwritten)
	}
}

// TestMemoryOfLargeCommits has a buffered store take commits that are larger than its
// buffers until they wait, and looks at how much it has taken by then.
func TestMemoryOfLargeCommits(t *testing.T) {
	db, err := Open(t.TempDir(), &Options{Durability: SyncEvery(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, db)
	before := heap()
	db.ioMu.Lock()
	const size, n = 9 << 20, 10
	done := make(chan error)
	go func() {
		value := make([]byte, size)
		for i := range byte(n) {
			done <- db.Put([]byte{i}, value)
		}
	}()
	puts := 0
	for ; puts < maxHeld/size+1; puts++ {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if took := heap() - before; took > maxHeld+3*size {
		t.Errorf("%d puts of %d bytes take %d", puts, size, took)
	}
	select {
	case <-done:
		t.Errorf("put %d does not wait", puts+1)
	default:
	}
	db.ioMu.Unlock()
	for ; puts < n; puts++ {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

// heap returns how many bytes of heap are in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
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
