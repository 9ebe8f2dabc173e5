package archiver

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/archiver/target/dir"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
)

// slowDisk takes a second for each write to a segment's temporary file, and half a minute
// for its sync. It counts the writes and the syncs that are under way.
type slowDisk struct {
	vfs.FS
	mu                sync.Mutex // guards what follows
	copying, syncing  int
	mostCopy, mostSyn int
}

func (d *slowDisk) Create(name string) (vfs.File, error) {
	f, err := d.FS.Create(name)
	if err != nil || !strings.Contains(name, shipUUID.String()) {
		return f, err
	}
	return slowFile{f, d}, nil
}

// count adds to both counts, and notes the most.
func (d *slowDisk) count(copying, syncing int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.copying, d.syncing = d.copying+copying, d.syncing+syncing
	d.mostCopy, d.mostSyn = max(d.mostCopy, d.copying), max(d.mostSyn, d.syncing)
}

type slowFile struct {
	vfs.File
	d *slowDisk
}

func (f slowFile) WriteAt(p []byte, off int64) (int, error) {
	f.d.count(1, 0)
	defer f.d.count(-1, 0)
	time.Sleep(time.Second)
	return f.File.WriteAt(p, off)
}

func (f slowFile) Sync() error {
	f.d.count(0, 1)
	defer f.d.count(0, -1)
	time.Sleep(30 * time.Second)
	return f.File.Sync()
}

// TestOneSegmentIsCopiedToAFolderAtATime while others are synced: that a first target was
// shipped to, so that the segment is known when the second one's turn comes, is no difference.
func TestOneSegmentIsCopiedToAFolderAtATime(t *testing.T) {
	for _, known := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newFolderScene(t, 6, 300<<10) // four writes each
			disk := &slowDisk{FS: s.disk}
			a, err := New(Options{Store: s.store, Receipts: s.disk, Targets: []target.Target{dir.OpenFS(disk, "file:///archive")}})
			testkit.Must(t, err)
			a.standing.opens = asIfWhole
			if known {
				list, err := a.source.Segments()
				testkit.Must(t, err)
				for _, g := range list.Segments {
					ship, err := a.source.Verify(t.Context(), g.Name)
					testkit.Must(t, err)
					a.know(g, ship)
				}
			}
			r, err := a.Once(t.Context())
			testkit.Must(t, err)
			testkit.Must(t, s.judge(t, s.disk))
			if r.Targets[0].Shipped != 6 || disk.mostCopy != 1 || disk.mostSyn < 2 {
				t.Errorf("known %v: %d segments shipped, %d copied at a time, %d synced", known, r.Targets[0].Shipped, disk.mostCopy, disk.mostSyn)
			}
		})
	}
}

func TestAfterACopyTheNextOneWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShipScene(t, 1)
		a := s.archiver(s.options())
		l := newShipper(a, "file:///archive", dir.OpenFS(nil, "file:///archive"))
		begun := time.Now()
		for range 3 {
			done, err := l.turn(t.Context())
			testkit.Must(t, err)
			time.Sleep(2 * time.Second)
			done(restPart * time.Second)
			done(0) // to no effect
		}
		done, err := l.turn(t.Context())
		testkit.Must(t, err)
		if took := time.Since(begun); took != 9*time.Second {
			t.Errorf("the fourth turn came after %v, want three of two seconds, with a rest of one after each", took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := l.turn(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		done(0)
		for range 2 { // no folder
			_, err := a.shippers[0].turn(t.Context())
			testkit.Must(t, err)
		}
	})
}

// TestOneHashesAtATime looks at whether the lock is held where it must be.
func TestOneHashesAtATime(t *testing.T) {
	var mu sync.Mutex
	free := func() bool {
		if !mu.TryLock() {
			return false
		}
		mu.Unlock()
		return true
	}
	src := readerAtFunc(func(p []byte, off int64) (int, error) {
		if !free() {
			t.Error("others wait while it reads")
		}
		return bytes.NewReader([]byte("content")).ReadAt(p, off)
	})
	o := oneHash{src: src, mu: &mu}
	for range 3 {
		_, err := o.ReadAt(make([]byte, 3), 1)
		testkit.Must(t, err)
		if free() {
			t.Error("others do not wait while it hashes")
		}
	}
	o.end()
	o.end()
	if !free() {
		t.Error("others wait though it has ended")
	}
}

type readerAtFunc func(p []byte, off int64) (int, error)

func (f readerAtFunc) ReadAt(p []byte, off int64) (int, error) { return f(p, off) }
