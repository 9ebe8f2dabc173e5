package integrity_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/integrity/check"
	"github.com/varve-db/varve/integrity/internal/fixture"
	"github.com/varve-db/varve/integrity/repair"
	"github.com/varve-db/varve/integrity/salvage"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// meagre is a folder of which at most so many files can be open at once.
type meagre struct {
	vfs.FS
	most int

	mu   sync.Mutex
	open int
}

func (m *meagre) Open(name string) (vfs.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.open == m.most {
		return nil, &fs.PathError{Op: "open", Path: m.Path(name), Err: syscall.EMFILE}
	}
	f, err := m.FS.Open(name)
	if err != nil {
		return nil, err
	}
	m.open++
	return &meagreFile{File: f, of: m}, nil
}

type meagreFile struct {
	vfs.File
	of   *meagre
	once sync.Once
}

func (f *meagreFile) Close() error {
	f.once.Do(func() {
		f.of.mu.Lock()
		defer f.of.mu.Unlock()
		f.of.open--
	})
	return f.File.Close()
}

// TestFewFileHandlesAreEnough has a store of more segments than the process may open
// files. No seed: nothing is drawn.
func TestFewFileHandlesAreEnough(t *testing.T) {
	dir := t.TempDir() + "/db"
	db := fixture.FillStore(t, dir, 300)
	n := len(db.Stats().Segments)
	testkit.Must(t, db.Close())
	if n < 20 {
		t.Fatalf("%d segments are too few for this test", n)
	}
	m := &meagre{FS: integrity.Folder(dir), most: 12}
	rep, err := check.Run(context.Background(), vfs.AsFS(m), check.Options{Level: integrity.Full, Workers: 16})
	if err != nil || len(rep.Findings) != 0 || rep.Whole < n-2 {
		t.Errorf("check: %v, %+v", err, rep)
	}
	plan, err := repair.MakePlan(context.Background(), m, repair.Options{})
	if err != nil || len(plan.Left)+len(plan.Steps) != 0 {
		t.Errorf("repair: %v, %+v", err, plan)
	}
	s, err := salvage.Run(context.Background(), vfs.AsFS(m), salvage.Options{Object: func(salvage.Object) error { return nil }})
	if err != nil || len(s.Lost) != 0 {
		t.Errorf("salvage: %v, %+v", err, s)
	}
	if m.open != 0 {
		t.Errorf("%d files are still open", m.open)
	}
	// Where not even one can be had that is nothing of the store.
	m.most = 0
	if _, err := check.Run(context.Background(), vfs.AsFS(m), check.Options{}); !vfs.IsTooManyFiles(err) {
		t.Errorf("check without any file handle: %v", err)
	}
	if plan, err := repair.MakePlan(context.Background(), m, repair.Options{}); !vfs.IsTooManyFiles(err) {
		t.Errorf("repair without any file handle: %v, %+v", err, plan)
	}
	if s, err := salvage.Run(context.Background(), vfs.AsFS(m), salvage.Options{}); !vfs.IsTooManyFiles(err) {
		t.Errorf("salvage without any file handle: %v, %+v", err, s)
	}
}

// TestAFailedLookLeavesNoFileOpen has the third of many segments lose its footer: the parts
// before it were opened, and some behind it, ahead of time. No seed: nothing is drawn.
func TestAFailedLookLeavesNoFileOpen(t *testing.T) {
	dir := t.TempDir() + "/db"
	db := fixture.FillStore(t, dir, 300)
	segs := db.Stats().Segments
	testkit.Must(t, db.Close())
	path := filepath.Join(dir, segment.FileName(segs[2].Segment.ID, segment.SealedExt))
	info, err := os.Stat(path)
	testkit.Must(t, err)
	testkit.Must(t, os.Chmod(path, 0o600))
	testkit.Must(t, os.Truncate(path, info.Size()-8))
	m := &meagre{FS: integrity.Folder(dir), most: 100}
	if err := integrity.Opens(m); !segment.IsCorrupt(err) {
		t.Errorf("opens: %v", err)
	}
	if m.open != 0 {
		t.Errorf("%d files are still open", m.open)
	}
}
