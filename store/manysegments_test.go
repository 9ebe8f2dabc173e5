package store

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/vfs"
)

// crowded is a folder whose process may map no more files than are left, and which counts
// the files that are open, and the maps.
type crowded struct {
	vfs.FS
	left, open atomic.Int64
	maps       atomic.Int64 // that are there
}

func (c *crowded) Open(name string) (vfs.File, error)      { return c.file(c.FS.Open(name)) }
func (c *crowded) OpenWrite(name string) (vfs.File, error) { return c.file(c.FS.OpenWrite(name)) }
func (c *crowded) Create(name string) (vfs.File, error)    { return c.file(c.FS.Create(name)) }

func (c *crowded) file(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	c.open.Add(1)
	return &crowdedFile{File: f, c: c}, nil
}

type crowdedFile struct {
	vfs.File
	c      *crowded
	closed atomic.Bool
}

func (f *crowdedFile) Map(n int64) ([]byte, func() error, error) {
	if f.c.left.Add(-1) < 0 {
		return nil, nil, vfs.ErrTooManyMaps
	}
	b, unmap, err := f.File.Map(n)
	if err != nil {
		return nil, nil, err
	}
	f.c.maps.Add(1)
	return b, func() error {
		f.c.maps.Add(-1)
		return unmap()
	}, nil
}

func (f *crowdedFile) Close() error {
	if !f.closed.Swap(true) {
		f.c.open.Add(-1)
	}
	return f.File.Close()
}

// segmentKey is the key of the object in the nth of many segments.
func segmentKey(i int) []byte { return fmt.Appendf(nil, "k%03d", i) }

// fillSegments puts objects first to last, each into a segment of its own.
func fillSegments(t *testing.T, db *DB, first, last int) {
	t.Helper()
	for i := first; i < last; i++ {
		if err := db.Put(segmentKey(i), fmt.Append(nil, "value ", i)); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Seal(); err != nil {
			t.Fatal(err)
		}
	}
}

// A store of more segments than may be mapped is read all the same, through few handles
// at a time: by gets, scans and snapshots, while logs are sealed, and after that.
func TestMoreSegmentsThanMayBeMapped(t *testing.T) {
	const old, fresh, mapped = 2 * keepHandles, keepHandles, 10
	dir := vfs.Dir(t.TempDir())
	db, err := openFS(dir, resolve(t, Options{}))
	if err != nil {
		t.Fatal(err)
	}
	fillSegments(t, db, 0, old)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	c := &crowded{FS: dir}
	c.left.Store(mapped)
	if db, err = openFS(c, resolve(t, Options{})); err != nil {
		t.Fatal(err)
	}
	snap, err := db.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { // reads the newest logs as their handles change
		for i := old; i < old+fresh; {
			v, err := db.Get(segmentKey(i))
			if err == ErrNotFound {
				time.Sleep(time.Millisecond)
				continue
			}
			if err != nil || string(v) != fmt.Sprint("value ", i) {
				done <- fmt.Errorf("object %d: %q, %v", i, v, err)
				return
			}
			i++
		}
		done <- nil
	}()
	fillSegments(t, db, old, old+fresh)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for i := range old {
		if v, err := snap.Get(segmentKey(i)); err != nil || string(v) != fmt.Sprint("value ", i) {
			t.Fatalf("object %d of the snapshot: %q, %v", i, v, err)
		}
	}
	n := 0
	for o, err := range db.Scan(Range{}) {
		if err != nil || string(o.Value) != fmt.Sprint("value ", n) {
			t.Fatalf("object %d of the scan: %q, %v", n, o.Value, err)
		}
		n++
	}
	// Two pools of handles, of the open and of what was sealed since; and the lock, the
	// newest log, the next one.
	if most := int64(2*keepHandles + 8); n != old+fresh || c.open.Load() > most {
		t.Errorf("%d objects, want %d; %d files are open, want at most %d", n, old+fresh, c.open.Load(), most)
	}
	snap.Close()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if n := c.open.Load(); n > keepHandles {
		t.Errorf("%d files are open after the close", n)
	}
}

// A log takes one map from its begin on, also once it is sealed, and no file stays open; where no more
// may be mapped, the handles of sealed logs come to an end at what a pool keeps.
func TestASealLeavesNoMapAndNoHandle(t *testing.T) {
	const more = 30
	for _, mapped := range []int64{1 << 20, 10} {
		c := &crowded{FS: vfs.Dir(t.TempDir())}
		c.left.Store(mapped)
		db, err := openFS(c, resolve(t, Options{}))
		if err != nil {
			t.Fatal(err)
		}
		first := 5
		if mapped < more {
			first = keepHandles + 12 // the pool is full
		}
		fillSegments(t, db, 0, first)
		open, maps := c.open.Load(), c.maps.Load()
		fillSegments(t, db, first, first+more)
		wantMaps := maps + more
		if mapped < more {
			wantMaps = maps
		}
		if now := c.maps.Load(); now != wantMaps {
			t.Errorf("of %d maps, %d seals took %d to %d; want %d", mapped, more, maps, now, wantMaps)
		}
		if now := c.open.Load(); now > open+1 { // the name of the next log may be there, or not yet
			t.Errorf("with %d maps, %d seals took %d open files to %d", mapped, more, open, now)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if n := c.maps.Load(); n != 0 {
			t.Errorf("%d maps are there after the close", n)
		}
	}
}

// A snapshot costs the same whatever the number of segments: it pins all of them at once.
func TestASnapshotPinsNoSegmentByItself(t *testing.T) {
	db, err := openFS(crashfs.New(), resolve(t, Options{}))
	if err != nil {
		t.Fatal(err)
	}
	fillSegments(t, db, 0, 20)
	pins := func() (all []int64) {
		for _, f := range db.segs {
			all = append(all, f.pins.Load())
		}
		return all
	}
	before, files := pins(), slices.Clone(db.segs)
	a, err := db.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if now := pins(); !slices.Equal(now, before) {
		t.Errorf("pins of the segments: %v, before the snapshot %v", now, before)
	}
	if n := testing.AllocsPerRun(10, func() {
		if s, err := db.Snapshot(); err == nil {
			s.Close()
		}
	}); n > 10 {
		t.Errorf("a snapshot of 21 segments allocates %v times", n)
	}
	fillSegments(t, db, 20, 30) // which the snapshot does not see
	b, err := db.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	a.Close()
	for i := range 30 {
		if v, err := b.Get(segmentKey(i)); err != nil || string(v) != fmt.Sprint("value ", i) {
			t.Errorf("object %d after the close: %q, %v", i, v, err)
		}
	}
	b.Close()
	for i, f := range files {
		if n := f.pins.Load(); n != 0 {
			t.Errorf("segment %d has %d pins when nobody reads it", i, n)
		}
	}
}

// Every part of an open is inside of a phase, so that they take as long as it does.
func TestThePhasesOfAnOpenAreAllOfIt(t *testing.T) {
	fsys := crashfs.New()
	check := func(what string, r OpenReport, want ...string) {
		t.Helper()
		var names []string
		var took time.Duration
		for _, p := range r.Phases {
			names, took = append(names, p.Name), took+p.Took
			if p.Took < 0 {
				t.Errorf("%s: phase %q took %v", what, p.Name, p.Took)
			}
		}
		if took != r.Took || took <= 0 {
			t.Errorf("%s: the phases took %v, all of it %v", what, took, r.Took)
		}
		if !slices.Equal(names, want) {
			t.Errorf("%s: phases %s; want %s", what, strings.Join(names, ", "), strings.Join(want, ", "))
		}
	}
	opened := func() *DB {
		t.Helper()
		db, err := openFS(fsys, resolve(t, Options{Integrity: integrity.Full}))
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	db := opened()
	check("a store that is made", db.OpenReport(), "names", "headers", "rest")
	fillSegments(t, db, 0, 3)
	killed := fsys.Copy()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = opened()
	check("a store that was closed", db.OpenReport(),
		"names", "headers", "footers", "segments", "tables", "leftovers", "newest log", "index against log", "rest")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := openReader(fsys, resolve(t, Options{}))
	if err != nil {
		t.Fatal(err)
	}
	check("a reader", r.OpenReport(), "headers", "footers", "tables", "newest log", "rest")
	r.Close()
	fsys = killed
	db = opened()
	check("a store that was killed", db.OpenReport(),
		"names", "headers", "footers", "segments", "tables", "leftovers", "recovery by copy", "index against log", "rest")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
