package archiver

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/archiver/target/dir"
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
)

// atWork counts the writes of segments that are under way, on all disks.
type atWork struct {
	mu        sync.Mutex // guards what follows
	now, most int
}

func (w *atWork) add(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now += n
	w.most = max(w.most, w.now)
}

// slowDisk takes a second for each write to a segment's temporary file.
type slowDisk struct {
	vfs.FS
	work *atWork
}

func (d slowDisk) Create(name string) (vfs.File, error) {
	f, err := d.FS.Create(name)
	if err != nil || !strings.Contains(name, shipUUID.String()) {
		return f, err
	}
	return slowFile{f, d.work}, nil
}

type slowFile struct {
	vfs.File
	work *atWork
}

func (f slowFile) WriteAt(p []byte, off int64) (int, error) {
	f.work.add(1)
	defer f.work.add(-1)
	time.Sleep(time.Second)
	return f.File.WriteAt(p, off)
}

// TestNoSegmentWaitsForAnother: each of two folders has as many copied to it at a time as
// Parallel says, from the begin to the end.
func TestNoSegmentWaitsForAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFolderScene(t, 6, 300<<10) // four writes each
		second := crashfs.New()
		work := &atWork{}
		targets := []target.Target{dir.OpenFS(slowDisk{s.disk, work}, "file:///a"), dir.OpenFS(slowDisk{second, work}, "file:///b")}
		_, err := target.Init(t.Context(), dir.OpenFS(second, "file:///b"))
		testkit.Must(t, err)
		a, err := New(Options{Store: s.store, receipts: s.disk, Targets: targets, Parallel: 3})
		testkit.Must(t, err)
		a.standing.opens = asIfWhole
		begun := time.Now()
		r, err := a.Once(t.Context())
		testkit.Must(t, err)
		testkit.Must(t, s.judge(t, s.disk))
		if took := time.Since(begun); r.Targets[0].Shipped+r.Targets[1].Shipped != 12 || work.most != 6 || took >= 10*time.Second {
			t.Errorf("%d segments shipped in %v, %d copied at a time", r.Targets[0].Shipped+r.Targets[1].Shipped, took, work.most)
		}
	})
}
