package store

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/segment"
)

// slow makes each sync take a while, as a disk does, and counts them.
type slow struct {
	mu    sync.Mutex
	syncs int
}

func (s *slow) hook(op crashfs.Op) error {
	if op.Kind == crashfs.OpSync {
		s.mu.Lock()
		s.syncs++
		s.mu.Unlock()
		time.Sleep(500 * time.Microsecond)
	}
	return nil
}

func (s *slow) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.syncs
}

func TestWritersShareSyncs(t *testing.T) {
	noLeaks(t)
	fsys := crashfs.New()
	disk := &slow{}
	fsys.Fail(disk.hook)
	db := mustOpen(t, fsys, Options{})
	const writers, each = 64, 20
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				k := fmt.Sprintf("%02d/%03d", w, i)
				if err := db.Put([]byte(k), []byte(k)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	crashed := fsys.Crash(1, crashfs.Kind{})
	if n := disk.count(); n > writers*each/4 {
		t.Errorf("%d syncs for %d puts of %d writers", n, writers*each, writers)
	} else {
		t.Logf("%d syncs for %d puts", n, writers*each)
	}
	mustClose(t, db)
	db = mustOpen(t, crashed, Options{}) // all were acknowledged
	if got, err := readAll(db); err != nil || len(got) != writers*each {
		t.Errorf("%d objects survive, %v", len(got), err)
	}
	mustClose(t, db)
}

// absent fails the test if anything shows of a key.
func absent(t *testing.T, db *DB, key string) {
	t.Helper()
	if v, err := db.Get([]byte(key)); !errors.Is(err, ErrNotFound) {
		t.Errorf("get %s: %q, %v; want it not found", key, v, err)
	}
	if there, err := db.Has([]byte(key)); there || err != nil {
		t.Errorf("has %s: %v, %v", key, there, err)
	}
	for o, err := range db.Scan(Range{Prefix: []byte(key)}) {
		t.Errorf("scan: %s, %v", o.Key, err)
	}
	s, err := db.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if there, err := s.Has([]byte(key)); there || err != nil {
		t.Errorf("a snapshot has %s: %v, %v", key, there, err)
	}
}

// With SyncAlways nobody sees an object that a crash could still take back.
func TestNothingShowsBeforeItsSync(t *testing.T) {
	noLeaks(t)
	fsys := crashfs.New()
	g := newGate()
	fsys.Fail(g.hook)
	db := mustOpen(t, fsys, Options{})
	mustPut(t, db, "old", "1")
	eventually(t, "mark", func() bool { return db.isMarked() })
	g.set(true)
	done := make(chan error, 3)
	var b Batch
	b.Put([]byte("batch1"), nil)
	b.Delete([]byte("old"))
	go func() { done <- db.Put([]byte("new"), nil) }()
	<-g.at // its sync is at work
	go func() { done <- db.Apply(&b) }()
	eventually(t, "batch in the queue", func() bool { return db.queueLen() >= 3 })
	for range 20 {
		absent(t, db, "new")
		absent(t, db, "batch1")
		if v, err := db.Get([]byte("old")); string(v) != "1" {
			t.Errorf("old: %q, %v", v, err)
		}
		time.Sleep(time.Millisecond)
	}
	select {
	case err := <-done:
		t.Errorf("a commit returned before its sync: %v", err)
	default:
	}
	g.go1 <- nil
	<-g.at // that of the batch
	eventually(t, "the put to show", func() bool { there, _ := db.Has([]byte("new")); return there })
	if err := <-done; err != nil {
		t.Error(err)
	}
	absent(t, db, "batch1")
	g.set(false)
	g.go1 <- nil
	if err := <-done; err != nil {
		t.Error(err)
	}
	mustHold(t, db, map[string]string{"new": "", "batch1": ""})
	mustClose(t, db)
}

// Commits show in the order of the log: who sees one sees those before it.
func TestCommitsShowInTheOrderOfTheLog(t *testing.T) {
	noLeaks(t)
	for _, mode := range []Durability{SyncAlways, SyncEvery(5 * time.Millisecond)} {
		db := mustOpen(t, crashfs.New(), Options{SegmentSize: 16 << 10, Durability: mode})
		var wg sync.WaitGroup
		var left atomic.Int64
		for w := range 8 {
			left.Add(1)
			wg.Go(func() {
				defer left.Add(-1)
				for i := range 400 {
					if err := db.Put(fmt.Appendf(nil, "%d/%06d", w, i), make([]byte, 50)); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		for left.Load() > 0 {
			seqs := map[uint64]bool{}
			newest := uint64(0)
			for o, err := range db.Scan(Range{}) {
				if err != nil {
					t.Fatal(err)
				}
				seqs[o.Seq] = true
				newest = max(newest, o.Seq)
			}
			if newest != uint64(len(seqs)) { // each key is put once
				t.Fatalf("sync %v: %d objects show, the newest is %d", mode, len(seqs), newest)
			}
		}
		wg.Wait()
		mustClose(t, db)
	}
}

// With SyncEvery what was put is there at once, before it is written.
func TestBufferedObjectsAreReadFromMemory(t *testing.T) {
	noLeaks(t)
	fsys := crashfs.New()
	db := mustOpen(t, fsys, Options{SegmentSize: MinSegmentSize, Durability: SyncEvery(time.Hour)})
	before := db.Stats().Written
	want := map[string]string{}
	for i := range 30 {
		k := fmt.Sprintf("k%d", i%20)
		mustPut(t, db, k, value(k, 300+i))
		want[k] = value(k, 300+i)
	}
	if s := db.Stats(); s.Written-before+s.Unwritten < 30*300 || s.Unwritten == 0 {
		t.Errorf("stats: %+v", s)
	}
	mustHold(t, db, want)
	snap, err := db.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Sync(); err != nil {
		t.Fatal(err)
	}
	mustHold(t, db, want)
	if s := db.Stats(); s.Unwritten != 0 {
		t.Errorf("after a sync: %+v", s)
	}
	crashed := fsys.Crash(1, crashfs.Kind{})
	mustClose(t, db)
	for k, v := range want {
		if got, err := snap.Get([]byte(k)); err != nil || string(got) != v {
			t.Errorf("snapshot: %s: %.20q, %v", k, got, err)
		}
	}
	snap.Close()
	db = mustOpen(t, crashed, Options{})
	mustHold(t, db, want)
	mustClose(t, db)
}

// At most d is lost: while a sync is stuck, puts go on until the oldest object
// that is not on the disk nears d, and then they wait.
func TestPutWaitsWhenTheOldestNearsItsTime(t *testing.T) {
	noLeaks(t)
	fsys := crashfs.New()
	g := newGate()
	fsys.Fail(g.hook)
	const d = 200 * time.Millisecond
	db := mustOpen(t, fsys, Options{Durability: SyncEvery(d)})
	g.set(true)
	first := time.Now()
	n := 0
	waiting := make(chan struct{})
	go func() {
		defer close(waiting)
		for ; ; n++ {
			began := time.Now()
			if err := db.Put(fmt.Appendf(nil, "%06d", n), nil); err != nil {
				t.Error(err)
				return
			}
			if !began.Before(first.Add(d)) {
				return // the first object was on the disk, or the promise is broken
			}
			time.Sleep(time.Millisecond)
		}
	}()
	<-g.at // the sync of the first objects
	time.Sleep(2 * d)
	select {
	case <-waiting:
		t.Error("puts go on though the oldest object is not on the disk in time")
	default:
	}
	if got, err := readAll(db); err != nil || len(got) == 0 { // reads go on
		t.Errorf("%d objects, %v", len(got), err)
	}
	g.set(false)
	g.go1 <- nil
	eventually(t, "the put that waits", func() bool {
		select {
		case g.go1 <- nil:
		default:
		}
		_, err := db.Get(fmt.Appendf(nil, "%06d", 1))
		return err == nil
	})
	within(t, "the last put", func() { <-waiting })
	mustClose(t, db)
}

// What SyncEvery promises, with a disk that works: after d an object is there.
func TestBufferedObjectsAreOnTheDiskInTime(t *testing.T) {
	fsys := crashfs.New()
	db := mustOpen(t, fsys, Options{Durability: SyncEvery(10 * time.Millisecond)})
	mustPut(t, db, "k", "1")
	eventually(t, "the object on the disk", func() bool {
		crashed := mustOpen(t, fsys.Crash(1, crashfs.Kind{}), Options{})
		defer mustClose(t, crashed)
		there, _ := crashed.Has([]byte("k"))
		return there
	})
	mustClose(t, db)
}

func TestTooLargeIsRefusedBeforeAByteIsWritten(t *testing.T) {
	noLeaks(t)
	fsys := crashfs.New()
	db := mustOpen(t, fsys, Options{})
	before, calls := files(fsys), fsys.Ops()
	huge := make([]byte, segment.MaxValue+1)
	for what, err := range map[string]error{
		"key":           db.Put(make([]byte, segment.MaxKey+1), nil),
		"value":         db.Put([]byte("k"), huge),
		"meta":          db.PutObject(Object{Key: []byte("k"), Meta: make([]byte, segment.MaxMeta+1)}),
		"key, batched":  new(Batch).Put(make([]byte, segment.MaxKey+1), nil),
		"delete, batch": new(Batch).Delete(make([]byte, segment.MaxKey+1)),
	} {
		if !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := db.Put(nil, nil); err == nil {
		t.Error("an empty key is taken")
	}
	if err := db.Delete(nil); err != nil {
		t.Errorf("delete of an empty key, which is not there: %v", err)
	}
	if fsys.Ops() != calls || fmt.Sprint(files(fsys)) != fmt.Sprint(before) {
		t.Error("something was written")
	}
	mustPut(t, db, strings.Repeat("k", segment.MaxKey), "")
	mustPut(t, db, "empty", "")
	if err := db.PutObject(Object{Key: []byte("m"), Meta: make([]byte, segment.MaxMeta), Content: Msgpack}); err != nil {
		t.Error(err)
	}
	if got, err := readAll(db); err != nil || len(got) != 3 {
		t.Errorf("%d objects, %v", len(got), err)
	}
	mustClose(t, db)
}
