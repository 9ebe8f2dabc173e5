package store

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/varve-db/varve/internal/crashfs"
)

// modes are both promises.
var modes = []Durability{SyncAlways, SyncEvery(5 * time.Millisecond)}

// TestBatchesAreWholeForReaders writes the same number under several keys, over
// and over, and never reads two.
func TestBatchesAreWholeForReaders(t *testing.T) {
	noLeaks(t)
	for _, mode := range modes {
		db := mustOpen(t, crashfs.New(), Options{SegmentSize: MinSegmentSize, Durability: mode})
		var stop atomic.Bool
		var wg sync.WaitGroup
		wg.Go(func() {
			var b Batch // used again
			for i := 0; !stop.Load(); i++ {
				b.Reset()
				for k := range 10 {
					b.Put(fmt.Appendf(nil, "k%d", k), fmt.Append(nil, i))
				}
				if err := db.Apply(&b); err != nil {
					t.Error(err)
				}
			}
		})
		eventually(t, "the first batch", func() bool { there, _ := db.Has([]byte("k0")); return there })
		for n := range 300 {
			seen := map[string]int{}
			for o, err := range db.Scan(Range{Reverse: n%2 == 0}) {
				if err != nil {
					t.Fatal(err)
				}
				seen[string(o.Value)]++
			}
			if len(seen) != 1 {
				t.Fatalf("sync %v: a scan shows parts of batches: %v", mode, seen)
			}
		}
		stop.Store(true)
		wg.Wait()
		mustClose(t, db)
	}
}

// A batch stays as it is when it is applied, and may be applied again.
func TestBatchIsUsedAgain(t *testing.T) {
	db := mustOpen(t, crashfs.New(), Options{})
	var b Batch
	key, val := []byte("key"), []byte("value")
	b.Put(key, val)
	key[0], val[0] = 'X', 'X' // the batch has copies
	for range 3 {
		if err := db.Apply(&b); err != nil {
			t.Fatal(err)
		}
		b.Put(fmt.Appendf(nil, "more%d", b.Len()), nil)
	}
	mustHold(t, db, map[string]string{"key": "value", "more1": "", "more2": ""})
	b.Reset()
	if err := db.Apply(&b); err != nil || b.Len() != 0 || b.Size() != 0 {
		t.Errorf("empty batch: %v", err)
	}
	b.Put([]byte("last"), nil)
	b.Put([]byte("last"), []byte("2"))
	b.Delete([]byte("key"))
	b.Delete([]byte("never there"))
	if err := db.Apply(&b); err != nil {
		t.Fatal(err)
	}
	mustHold(t, db, map[string]string{"last": "2", "more1": "", "more2": ""})
	mustClose(t, db)
}

// Snapshots and scans stay what they were, beside writers, over rolls and seals
// and after Close.
func TestSnapshotsStay(t *testing.T) {
	noLeaks(t)
	for _, mode := range modes {
		for name, fsys := range map[string]func(dir string) (*DB, error){
			"memory": func(string) (*DB, error) {
				return openFS(crashfs.New(), resolve(t, Options{SegmentSize: MinSegmentSize, Durability: mode}))
			},
			"disk": func(dir string) (*DB, error) {
				return Open(dir, &Options{SegmentSize: MinSegmentSize, Durability: mode})
			},
		} {
			t.Run(fmt.Sprintf("%s, sync %v", name, mode), func(t *testing.T) {
				db, err := fsys(t.TempDir())
				if err != nil {
					t.Fatal(err)
				}
				keepSnapshots(t, db)
			})
		}
	}
}

func keepSnapshots(t *testing.T, db *DB) {
	type taken struct {
		s    *Snapshot
		want map[string]string
	}
	var all []taken
	now := map[string]string{}
	for round := range 8 {
		for i := range 12 {
			k, v := fmt.Sprintf("k%d", i*round%17), value("v", 400+round)
			mustPut(t, db, k, v)
			now[k] = v
		}
		big := value("big", 6000+round) // a segment of its own
		mustPut(t, db, "big", big)
		now["big"] = big
		if err := db.Delete([]byte("k0")); err != nil {
			t.Fatal(err)
		}
		delete(now, "k0")
		s, err := db.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, taken{s, maps.Clone(now)})
		if round%3 == 2 {
			if _, err := db.Seal(); err != nil {
				t.Fatal(err)
			}
		}
	}
	check := func(when string) {
		t.Helper()
		for i, a := range all {
			got := map[string]string{}
			for o, err := range a.s.Scan(Range{}) {
				if err != nil {
					t.Fatalf("%s: snapshot %d: %s: %v", when, i, o.Key, err)
				}
				got[string(o.Key)] = string(o.Value)
				if v, err := a.s.Get(o.Key); err != nil || !bytes.Equal(v, o.Value) {
					t.Errorf("%s: snapshot %d: get %s: %v", when, i, o.Key, err)
				}
			}
			if !maps.Equal(got, a.want) || a.s.Len() != len(a.want) {
				t.Errorf("%s: snapshot %d has %d objects, want %d", when, i, len(got), len(a.want))
			}
		}
	}
	check("beside the store")
	mustClose(t, db)
	check("after Close")
	for _, a := range all {
		a.s.Close()
	}
	if err := db.Put([]byte("k"), nil); !errors.Is(err, ErrClosed) {
		t.Errorf("put after Close: %v", err)
	}
}

// Everything at once with Close: each call is done in full or says ErrClosed,
// and what was acknowledged is there.
func TestCallsBesideClose(t *testing.T) {
	noLeaks(t)
	for round := range 30 {
		mode := modes[round%2]
		fsys := crashfs.New()
		files := &counted{FS: fsys}
		db := mustOpen(t, files, Options{SegmentSize: MinSegmentSize, Durability: mode})
		mustPut(t, db, "there", "1")
		var mu sync.Mutex
		acked := map[string]string{"there": "1"}
		var wg sync.WaitGroup
		call := func(fn func(i int) error) {
			wg.Go(func() {
				for i := 0; ; i++ {
					if err := fn(i); errors.Is(err, ErrClosed) {
						return
					} else if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		for w := range 4 {
			call(func(i int) error {
				k := fmt.Sprintf("%d/%d", w, i)
				err := db.Put([]byte(k), []byte(k))
				if err == nil {
					mu.Lock()
					acked[k] = k
					mu.Unlock()
				}
				return err
			})
		}
		call(func(int) error {
			v, err := db.Get([]byte("there"))
			if err == nil && string(v) != "1" {
				t.Errorf("get: %q", v)
			}
			return err
		})
		call(func(int) (err error) {
			for _, e := range db.Scan(Range{}) {
				err = errors.Join(err, e)
			}
			return err
		})
		call(func(int) error { _, err := db.Seal(); return err })
		call(func(int) error { return db.Sync() })
		call(func(int) error { return db.Delete([]byte("nobody")) })
		call(func(int) error { _ = db.Stats(); _, err := db.Has([]byte("there")); return err })
		time.Sleep(time.Duration(round%5) * time.Millisecond)
		within(t, "close", func() { mustClose(t, db) })
		within(t, "the calls", wg.Wait)
		if n := files.open.Load(); n != 0 {
			t.Errorf("%d handles are open", n)
		}
		db = mustOpen(t, fsys.Crash(uint64(round), crashfs.Kind{}), Options{})
		if !db.OpenReport().Clean {
			t.Errorf("the close was not clean: %+v", db.OpenReport())
		}
		mustHold(t, db, acked)
		mustClose(t, db)
	}
}

func TestLogWithObjectsIsSealedByAge(t *testing.T) {
	noLeaks(t)
	fsys := crashfs.New()
	db := mustOpen(t, fsys, Options{MaxSegmentAge: 20 * time.Millisecond})
	time.Sleep(60 * time.Millisecond)
	if s := db.Stats(); len(s.Segments) != 1 {
		t.Errorf("a log without objects was rolled: %+v", s.Segments)
	}
	mustPut(t, db, "k", "1")
	sealed := func(n int) func() bool {
		return func() bool { return strings.Count(strings.Join(fsys.Names(), " "), ".seg") == n }
	}
	eventually(t, "the seal by age", sealed(1))
	time.Sleep(100 * time.Millisecond) // marks alone do not age a log
	if !sealed(1)() {
		t.Errorf("files: %v", fsys.Names())
	}
	mustPut(t, db, "k", "2")
	eventually(t, "the second seal by age", sealed(2))
	mustClose(t, db)

	db = mustOpen(t, fsys, Options{})
	mustPut(t, db, "k", "3")
	mustClose(t, db)
	db = mustOpen(t, fsys, Options{MaxSegmentAge: 20 * time.Millisecond})
	eventually(t, "the seal of a log with objects from before", sealed(3))
	mustClose(t, db)
}

// The keeper of a store with an age sleeps while there is nothing to seal.
func TestIdleStoreSleeps(t *testing.T) {
	fsys := crashfs.New()
	db := mustOpen(t, fsys, Options{MaxSegmentAge: time.Millisecond})
	mustPut(t, db, "k", "1")
	eventually(t, "rest", func() bool {
		return strings.Contains(strings.Join(fsys.Names(), " "), ".seg") && db.isMarked() && db.hasSpare() && !db.awake.Load()
	})
	if d := db.tend(); d < time.Minute {
		t.Errorf("the keeper looks again after %v", d)
	}
	mustClose(t, db)
}

// While seals are slow, at most maxBacklog logs wait for theirs.
func TestBacklogIsBounded(t *testing.T) {
	noLeaks(t)
	for _, mode := range modes {
		fsys := crashfs.New()
		fsys.Fail(func(op crashfs.Op) error {
			if op.Kind == crashfs.OpChmod {
				time.Sleep(5 * time.Millisecond)
			}
			return nil
		})
		db := mustOpen(t, fsys, Options{SegmentSize: MinSegmentSize, Durability: mode})
		most := int64(0)
		for i := range 100 {
			mustPut(t, db, fmt.Sprint(i), value("v", 1500))
			most = max(most, db.Stats().Unsealed)
		}
		if most > maxBacklog {
			t.Errorf("%d logs waited for their seal", most)
		}
		mustClose(t, db)
	}
}

// The cap bounds the records of every segment, but for a single larger batch.
func TestCapIsHard(t *testing.T) {
	noLeaks(t)
	for _, mode := range modes {
		fsys := crashfs.New()
		rnd := seeded(1)
		size := int64(MinSegmentSize)
		for open := range 6 {
			db := mustOpen(t, fsys, Options{SegmentSize: size, Durability: mode})
			first := db.OpenReport().Segments
			for i := range 60 {
				n := rnd.IntN(900)
				if i == 30 {
					n = 20_000
				}
				mustPut(t, db, fmt.Sprintf("k%d/%d", open, i), value("v", n))
				if i%20 == 0 {
					eventually(t, "mark", func() bool { return db.newestMarked() })
				}
			}
			db.view.rw.RLock()
			segs := db.view.segs[first:]
			big := 0
			for _, f := range segs {
				records := f.size.Load() - 200 // the header takes less
				switch {
				case records > 20_000:
					big++
				case records > size:
					t.Errorf("open %d: a segment with %d bytes of records; the cap is %d", open, records, size)
				}
			}
			db.view.rw.RUnlock()
			if size < 20_000 && big != 1 {
				t.Errorf("open %d: %d segments for one large object", open, big)
			}
			mustClose(t, db)
			size = []int64{8 << 10, MinSegmentSize, 64 << 10, 5000, MinSegmentSize, MinSegmentSize}[open]
		}
		db := mustOpen(t, fsys, Options{})
		if got, err := readAll(db); err != nil || len(got) != 6*60 {
			t.Errorf("%d objects, %v", len(got), err)
		}
		mustClose(t, db)
	}
}

// newestMarked is isMarked for a store with SyncEvery, too.
func (db *DB) newestMarked() bool { return db.Sync() == nil && db.isMarked() }

func TestSealBesidePuts(t *testing.T) {
	noLeaks(t)
	for _, mode := range modes {
		fsys := crashfs.New()
		db := mustOpen(t, fsys, Options{Durability: mode})
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for i := range 100 {
					if err := db.Put(fmt.Appendf(nil, "%d/%d", w, i), make([]byte, 100)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		sealed := 0
		for range 20 {
			ok, err := db.Seal()
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				sealed++
			}
		}
		wg.Wait()
		mustClose(t, db)
		if n := strings.Count(strings.Join(fsys.Names(), " "), ".seg"); n < sealed {
			t.Errorf("%d seals, %d sealed segments", sealed, n)
		}
		db = mustOpen(t, fsys, Options{})
		if got, err := readAll(db); err != nil || len(got) != 400 {
			t.Errorf("%d objects, %v", len(got), err)
		}
		mustClose(t, db)
	}
}

// TestReaderBesideAnotherProcess follows a writer over rolls, kills and
// restarts: a reader sees batches whole, never goes back, and sees what was acknowledged
// to another process soon after.
func TestReaderBesideAnotherProcess(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("kill -9")
	}
	dir := t.TempDir() + "/store"
	var r *Reader
	newest := 0
	look := func() {
		t.Helper()
		if err := r.Refresh(); err != nil {
			t.Fatalf("refresh: %v", err)
		}
		s, err := r.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		a, errA := s.Get([]byte("n"))
		b, errB := s.Get([]byte("same"))
		n, _ := strconv.Atoi(string(a))
		if errA != nil || errB != nil || string(a) != string(b) || s.Len() != n+2 {
			t.Fatalf("n is %q, %v; same is %q, %v; %d objects", a, errA, b, errB, s.Len())
		}
		if n < newest {
			t.Fatalf("a reader that showed %d shows %d", newest, n)
		}
		newest = n
	}
	for range 4 {
		w := start(t, "write", dir, nil)
		from, _ := strconv.Atoi(w.until(t, "from"))
		if from < newest {
			t.Fatalf("recovery took %d back to %d, though a reader had shown it", newest, from)
		}
		w.until(t, "acked")
		var acked atomic.Int64
		done := make(chan struct{})
		go func() {
			defer close(done)
			for w.out.Scan() {
				if s, ok := strings.CutPrefix(w.out.Text(), "acked "); ok {
					n, _ := strconv.Atoi(s)
					acked.Store(int64(n))
				}
			}
		}()
		if r == nil {
			var err error
			eventually(t, "a durable object", func() bool {
				if r, err = OpenReadOnly(dir, nil); err != nil {
					return false
				}
				if _, err := r.Get([]byte("n")); err == nil {
					return true
				}
				mustClose(t, r)
				return false
			})
		}
		sealed := len(glob(t, dir, "*.seg"))
		eventually(t, "two more segments", func() bool { look(); return len(glob(t, dir, "*.seg")) >= sealed+2 })
		target := acked.Load()
		eventually(t, "the reader to have what was acknowledged", func() bool { look(); return int64(newest) >= target })
		w.kill()
		<-done
		look()
		if int64(newest) < acked.Load() {
			t.Errorf("the writer is dead: a reader shows %d, %d was acknowledged", newest, acked.Load())
		}
	}
	mustClose(t, r)
}
