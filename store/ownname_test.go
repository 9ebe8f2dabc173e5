package store

import (
	"syscall"
	"testing"

	"github.com/varve-db/varve/internal/crashfs"
)

// TestFolderWhoseNameWasNotSynced: the maker of the folder did not sync its name, and
// neither did an open that failed there. What a later open acknowledges survives, for
// a new store and for a copy of one.
func TestFolderWhoseNameWasNotSynced(t *testing.T) {
	lost := crashfs.Kind{Data: crashfs.DataNone, Names: crashfs.NamesNone}
	old := crashfs.New()
	db := mustOpen(t, old, Options{})
	mustPut(t, db, "old", "1")
	mustClose(t, db)
	for name, begin := range map[string]func(*crashfs.FS) map[string]string{
		"new": func(*crashfs.FS) map[string]string { return map[string]string{} },
		"copied": func(fsys *crashfs.FS) map[string]string {
			for _, name := range old.Names() {
				fsys.SetBytes(name, old.Bytes(name))
			}
			return map[string]string{"old": "1"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := crashfs.NewUnsynced()
			want := begin(fsys)
			fsys.Fail(func(op crashfs.Op) error {
				if op.Kind == crashfs.OpSyncDir && op.Name == ".." {
					return syscall.EIO
				}
				return nil
			})
			if db, err := openFS(fsys, resolve(t, Options{})); err == nil {
				mustClose(t, db)
				t.Fatal("opened, though the folder's name could not be synced")
			}
			fsys.Fail(nil)
			db := mustOpen(t, fsys, Options{})
			mustPut(t, db, "k", "1")
			want["k"] = "1"
			after := fsys.Crash(1, lost)
			mustClose(t, db)
			db = mustOpen(t, after, Options{})
			mustHold(t, db, want)
			mustClose(t, db)
		})
	}
}
