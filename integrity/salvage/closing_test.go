package salvage_test

import (
	"errors"
	"syscall"
	"testing"

	"github.com/varve-db/varve/integrity/internal/fixture"
	"github.com/varve-db/varve/integrity/salvage"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
)

// unclosable is a folder whose files say that they cannot be closed.
type unclosable struct{ vfs.FS }

func (u unclosable) Open(name string) (vfs.File, error) {
	f, err := u.FS.Open(name)
	if err != nil {
		return nil, err
	}
	return unclosableFile{f}, nil
}

type unclosableFile struct{ vfs.File }

func (f unclosableFile) Close() error { return errors.Join(f.File.Close(), syscall.EIO) }

// TestSalvageSaysWhatCouldNotBeClosed: no error of a close is dropped.
func TestSalvageSaysWhatCouldNotBeClosed(t *testing.T) {
	dir := t.TempDir() + "/db"
	testkit.Must(t, fixture.FillStore(t, dir, 20).Close())
	n := 0
	_, err := salvage.Run(t.Context(), vfs.AsFS(unclosable{vfs.Dir(dir)}), salvage.Options{
		Object: func(salvage.Object) error { n++; return nil }})
	if n == 0 || !errors.Is(err, syscall.EIO) {
		t.Errorf("%d objects, %v; want all of them and %v", n, err, syscall.EIO)
	}
}
