package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varve-db/varve/internal/crashfs"
)

// losses is what may happen to the folder of an open store, by hand.
var losses = []struct {
	name    string
	removed bool
	lose    func(dir, log string) error
}{
	{"the folder is removed", true, func(dir, _ string) error { return os.RemoveAll(dir) }},
	{"the folder is moved", false, func(dir, _ string) error { return os.Rename(dir, dir+".moved") }},
	{"the folder is replaced by a copy", false, func(dir, _ string) error {
		return errors.Join(os.Rename(dir, dir+".moved"), os.CopyFS(dir, os.DirFS(dir+".moved")))
	}},
	{"the folder is removed and made anew", true, func(dir, _ string) error {
		return errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700))
	}},
	{"a folder above is moved", false, func(dir, _ string) error { return os.Rename(filepath.Dir(dir), filepath.Dir(dir)+".moved") }},
	{"a file is in the place of the folder", false, func(dir, _ string) error {
		return errors.Join(os.Rename(dir, dir+".moved"), os.WriteFile(dir, nil, 0o600))
	}},
	{"a file is in the place of a folder above", false, func(dir, _ string) error {
		above := filepath.Dir(dir)
		return errors.Join(os.Rename(above, above+".moved"), os.WriteFile(above, nil, 0o600))
	}},
	{"the log is removed", true, func(_, log string) error { return os.Remove(log) }},
	{"the log is moved", false, func(_, log string) error { return os.Rename(log, log+".moved") }},
	{"the log is replaced by a folder", false, func(_, log string) error {
		return errors.Join(os.Rename(log, log+".moved"), os.Mkdir(log, 0o700))
	}},
}

// TestLostFolderIsNoticed takes the folder or the newest log of an open store away, and goes
// on: a writer is told within a second, an idle store finds out by itself, and a close
// says so.
func TestLostFolderIsNoticed(t *testing.T) {
	notice := map[string]func(db *DB) error{
		"put": func(db *DB) error {
			for range 3 {
				if err := db.Put([]byte("late"), nil); err != nil {
					return err
				}
				time.Sleep(lookEvery / 2)
			}
			return nil
		},
		"idle":  func(db *DB) error { time.Sleep(2 * time.Hour); return db.failed() },
		"close": func(db *DB) error { return errors.Join(db.Put([]byte("late"), nil), db.Close()) },
	}
	for _, l := range losses {
		for how, notice := range notice {
			t.Run(l.name+"/"+how, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "above", "store")
				if err := os.Mkdir(filepath.Dir(dir), 0o700); err != nil {
					t.Fatal(err)
				}
				synctest.Test(t, func(t *testing.T) {
					db, err := Open(dir, nil)
					if err != nil {
						t.Fatal(err)
					}
					mustPut(t, db, "before", "1")
					synctest.Wait()
					log := db.newestLog().sf.path
					if err := l.lose(dir, log); err != nil {
						t.Fatal(err)
					}
					checkGone(t, notice(db), log, l.removed)
					if how == "close" {
						return
					}
					if v, err := db.Get([]byte("before")); string(v) != "1" {
						t.Errorf("before = %q, %v", v, err)
					}
					checkGone(t, db.Sync(), log, l.removed)
					if failed := db.Stats().Failed; !strings.Contains(failed, log) {
						t.Errorf("Stats().Failed = %q", failed)
					}
					checkGone(t, db.Close(), log, l.removed)
				})
			})
		}
	}
}

// newestLog is the log that was written last.
func (db *DB) newestLog() *log {
	db.ioMu.Lock()
	defer db.ioMu.Unlock()
	return db.newest
}

func checkGone(t *testing.T, err error, log string, removed bool) {
	t.Helper()
	gone, ok := errors.AsType[*GoneError](err)
	if !ok || !errors.Is(err, ErrPoisoned) || gone.Path != log || gone.Removed != removed {
		t.Errorf("%v; want that %s is gone, removed: %v", err, log, removed)
	}
}

// TestLostLogOfABufferedStore lets a commit wait for room when the log turns out to be gone.
func TestLostLogOfABufferedStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := crashfs.New()
		db := mustOpen(t, fsys, Options{Durability: SyncEvery(time.Second)})
		mustPut(t, db, "before", "1")
		time.Sleep(2 * time.Second)
		log := db.newestLog()
		if err := fsys.Remove(log.name); err != nil {
			t.Fatal(err)
		}
		var err error
		for n := 0; err == nil && n < 20; n++ {
			err = db.Put([]byte("late"), nil)
			time.Sleep(lookEvery / 2)
		}
		checkGone(t, err, log.sf.path, true)
		checkGone(t, db.Close(), log.sf.path, true)
	})
}

// TestLookThatFailsIsNoLoss lets each call fail by which a log is looked for: the store goes on.
func TestLookThatFailsIsNoLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, kind := range []crashfs.OpKind{crashfs.OpOpen, crashfs.OpStat} {
			fsys := crashfs.New()
			db := mustOpen(t, fsys, Options{})
			mustPut(t, db, "a", "1")
			time.Sleep(2 * lookEvery)
			failed := 0
			fsys.Fail(func(op crashfs.Op) error {
				if op.Kind == kind {
					failed++
					return syscall.EMFILE
				}
				return nil
			})
			mustPut(t, db, "b", "2")
			if fsys.Fail(nil); failed == 0 {
				t.Errorf("%v: nothing was looked for", kind)
			}
			mustPut(t, db, "c", "3")
			mustClose(t, db)
		}
	})
}

// TestSealedLogIsNotLost looks for the newest log when it has ended, and the next one found no
// room for its first byte: the sealer gave it another name.
func TestSealedLogIsNotLost(t *testing.T) {
	db := mustOpen(t, crashfs.New(), Options{})
	mustPut(t, db, "a", "1")
	old := db.newestLog()
	if _, err := db.Seal(); err != nil {
		t.Fatal(err)
	}
	db.ioMu.Lock()
	err := db.lookNow(old)
	db.ioMu.Unlock()
	if err != nil || missed(db.fs, old) == nil {
		t.Errorf("%v; and it has the name of before", err)
	}
	mustClose(t, db)
}
