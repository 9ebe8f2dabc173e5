package store

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/varve-db/varve/internal/crashfs"
)

// gate blocks the syncs of logs until it is opened, and then gives their answer.
type gate struct {
	mu    sync.Mutex
	on    bool
	at    chan struct{} // one for each sync that has arrived
	go1   chan error    // one answer for each
	syncs int           // of logs, all
}

func newGate() *gate { return &gate{at: make(chan struct{}, 1000), go1: make(chan error, 1000)} }

// hook is for crashfs.FS.Fail.
func (g *gate) hook(op crashfs.Op) error {
	if op.Kind != crashfs.OpSync || strings.HasSuffix(op.Name, ".seg") {
		return nil
	}
	g.mu.Lock()
	g.syncs++
	on := g.on
	g.mu.Unlock()
	if !on {
		return nil
	}
	g.at <- struct{}{}
	return <-g.go1
}

func (g *gate) set(on bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.on = on
}

func (g *gate) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.syncs
}

func TestCommitsThatWaitBehindAFailedSyncFailToo(t *testing.T) {
	noLeaks(t)
	fsys := crashfs.New()
	g := newGate()
	fsys.Fail(g.hook)
	db := mustOpen(t, fsys, Options{})
	mustPut(t, db, "before", "1")
	eventually(t, "mark of the idle store", func() bool { return db.isMarked() })
	g.set(true)
	errs := make(chan error, 20)
	go func() { errs <- db.Put([]byte("first"), []byte("1")) }()
	<-g.at
	for i := range 19 { // they queue behind the sync
		go func() { errs <- db.Put(fmt.Appendf(nil, "waits%d", i), []byte("1")) }()
	}
	eventually(t, "commits in the queue", func() bool { return db.queueLen() >= 19 })
	before := g.count()
	g.set(false)
	g.go1 <- syscall.EIO
	for range 20 {
		if err := <-errs; !errors.Is(err, ErrPoisoned) || !errors.Is(err, syscall.EIO) {
			t.Errorf("put: %v; want ErrPoisoned and EIO", err)
		}
	}
	poisoned(t, db)
	if n := g.count(); n != before {
		t.Errorf("%d syncs after the one that failed", n-before)
	}
	mustHold(t, db, map[string]string{"before": "1"})
	if err := db.Close(); !errors.Is(err, ErrPoisoned) {
		t.Errorf("close: %v", err)
	}
	for _, k := range crashfs.Kinds {
		r := mustOpen(t, fsys.Crash(1, k), Options{})
		if v, err := r.Get([]byte("before")); string(v) != "1" {
			t.Errorf("%v: %q, %v", k, v, err)
		}
		mustClose(t, r)
	}
	db = mustOpen(t, fsys, Options{}) // in the same process
	mustPut(t, db, "after", "1")
	mustClose(t, db)
}

// poisoned makes sure that nothing is acknowledged any more.
func poisoned(t *testing.T, db *DB) {
	t.Helper()
	var b Batch
	b.Put([]byte("late"), nil)
	_, sealErr := db.Seal()
	for what, err := range map[string]error{
		"put": db.Put([]byte("late"), nil), "apply": db.Apply(&b), "empty batch": db.Apply(&Batch{}),
		"delete": db.Delete([]byte("before")), "delete of nothing": db.Delete([]byte("x")), "sync": db.Sync(), "seal": sealErr,
	} {
		if !errors.Is(err, ErrPoisoned) || !strings.Contains(err.Error(), ".open") {
			t.Errorf("%s on a failed log: %v", what, err)
		}
	}
	if s := db.Stats(); !strings.Contains(s.Failed, "input/output") {
		t.Errorf("Stats().Failed = %q", s.Failed)
	}
}

func (db *DB) isMarked() bool {
	db.ioMu.Lock()
	defer db.ioMu.Unlock()
	return db.newest.marked
}

// queueLen returns how many changes wait to be written or synced.
func (db *DB) queueLen() (n int) {
	db.mu.Lock()
	defer db.mu.Unlock()
	for _, g := range db.queue {
		n += len(g.pending)
	}
	return n
}

func TestSyncThatWaitsBehindAFailedOneFails(t *testing.T) {
	noLeaks(t)
	fsys := crashfs.New()
	g := newGate()
	fsys.Fail(g.hook)
	db := mustOpen(t, fsys, Options{Durability: SyncEvery(time.Hour)})
	mustPut(t, db, "before", "1")
	if err := db.Sync(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "mark of the idle store", func() bool { return db.isMarked() })
	mustPut(t, db, "lost", "1")
	g.set(true)
	errs := make(chan error, 2)
	go func() { errs <- db.Sync() }()
	<-g.at
	go func() { errs <- db.Sync() }()
	time.Sleep(20 * time.Millisecond) // so that it waits, most of the time
	g.set(false)
	g.go1 <- syscall.EIO
	for range 2 {
		if err := <-errs; !errors.Is(err, ErrPoisoned) {
			t.Errorf("sync: %v; want ErrPoisoned", err)
		}
	}
	poisoned(t, db)
	mustHold(t, db, map[string]string{"before": "1", "lost": "1"}) // reads go on
	if err := db.Close(); !errors.Is(err, ErrPoisoned) {
		t.Errorf("close: %v", err)
	}
	lost := mustOpen(t, fsys.Crash(1, crashfs.Kind{}), Options{})
	mustHold(t, lost, map[string]string{"before": "1"})
	mustClose(t, lost)
}

// A call that fails while nobody waits, such as the sync of the idle mark, is
// told to the next commit.
func TestFailedMarkIsToldToTheNextCommit(t *testing.T) {
	fsys := crashfs.New()
	db := mustOpen(t, fsys, Options{})
	mustPut(t, db, "before", "1")
	fsys.Fail(crashfs.FailNth(1, syscall.EIO, true, crashfs.OpSync))
	eventually(t, "failure of the mark", func() bool { return db.failed() != nil })
	poisoned(t, db)
	if err := db.Close(); !errors.Is(err, ErrPoisoned) {
		t.Errorf("close: %v", err)
	}
}

func TestCloseFails(t *testing.T) {
	noLeaks(t)
	for _, kind := range []crashfs.OpKind{crashfs.OpClose, crashfs.OpUnlock, crashfs.OpRelease, crashfs.OpRemove, crashfs.OpStat} {
		for _, data := range []int{10, 1000, 4000} {
			t.Run(fmt.Sprintf("%s, %d bytes", kind, data), func(t *testing.T) {
				fsys := crashfs.New()
				files := &counted{FS: fsys}
				db := mustOpen(t, files, Options{SegmentSize: MinSegmentSize})
				mustPut(t, db, "k", value("k", data))
				fsys.Fail(crashfs.FailNth(1, syscall.EIO, false, kind))
				within(t, "close", func() {
					if err := db.Close(); err != nil && clear1(err) != nil {
						t.Error(clear1(err))
					}
				})
				fsys.Fail(nil)
				if n := files.open.Load(); n != 0 {
					t.Errorf("%d handles are open", n)
				}
				if err := db.Close(); !errors.Is(err, ErrClosed) {
					t.Errorf("second close: %v", err)
				}
				if err := db.Put([]byte("k"), nil); !errors.Is(err, ErrClosed) {
					t.Errorf("put after close: %v", err)
				}
				again := fsys
				if kind == crashfs.OpUnlock {
					again = fsys.Kill()
				}
				db = mustOpen(t, again, Options{})
				mustHold(t, db, map[string]string{"k": value("k", data)})
				mustClose(t, db)
			})
		}
	}
}
