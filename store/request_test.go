package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/varve-db/varve/internal/vfs"
)

// ask makes the request to seal, and waits until it was answered.
func ask(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, SealRequest)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the request to be answered", func() bool {
		_, err := os.Stat(path)
		return errors.Is(err, fs.ErrNotExist)
	})
}

// TestSealRequest asks the writer to seal as another process does: a log that holds
// objects is sealed, an empty one never.
func TestSealRequest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	ask(t, dir)
	if n := len(glob(t, dir, "*.seg")); n != 0 {
		t.Errorf("%d segments of an empty store", n)
	}
	if err := db.Put([]byte("a"), []byte("1")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		ask(t, dir)
		if n := len(glob(t, dir, "*.seg")); n != 1 {
			t.Errorf("%d segments, want 1", n)
		}
	}
	mustClose(t, db)
}

// TestSealRequestOfAFailedLog leaves the request where it is, so that who asked
// does not take the log for sealed.
func TestSealRequestOfAFailedLog(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.mu.Lock()
	db.err = ErrPoisoned
	db.mu.Unlock()
	path := filepath.Join(dir, SealRequest)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := db.answer(); !errors.Is(err, ErrPoisoned) {
		t.Errorf("answer: %v", err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the request is gone: %v", err)
	}
}

// TestSealRequestMadeMeanwhile makes a request while the one before is answered: it
// is about objects that came after the seal, so it is not removed with that one.
func TestSealRequestMadeMeanwhile(t *testing.T) {
	t.Parallel()
	const then = 1_700_000_000
	for _, c := range []struct {
		name, first, second string
		later               int64
	}{
		{"with other content", "one", "two", 0},
		{"with none, later", "", "", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, SealRequest)
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			request := func(content string, at int64) {
				temp := filepath.Join(dir, "receipts", ".tmp-request")
				must(os.WriteFile(temp, []byte(content), 0o600))
				must(os.Chtimes(temp, time.Unix(at, 0), time.Unix(at, 0)))
				must(os.Rename(temp, path))
			}
			w := &atSeal{FS: vfs.Dir(dir)}
			db, err := openFS(w, resolve(t, Options{}))
			must(err)
			defer mustClose(t, db)
			must(os.Mkdir(filepath.Dir(path), 0o700))
			must(db.Put([]byte("a"), []byte("1")))
			w.then = func() { request(c.second, then+c.later) }
			request(c.first, then)
			eventually(t, "the first to be answered", func() bool { return len(glob(t, dir, "*.seg")) == 1 })
			must(db.Put([]byte("b"), []byte("2")))
			eventually(t, "the second to be answered", func() bool {
				_, err := os.Stat(path)
				return errors.Is(err, fs.ErrNotExist)
			})
			if n := len(glob(t, dir, "*.seg")); n != 2 {
				t.Errorf("%d segments when the second request is gone, want 2", n)
			}
		})
	}
}

// atSeal calls then, once, when a log gets the name of a sealed segment.
type atSeal struct {
	vfs.FS
	then func()
}

func (f *atSeal) Rename(from, to string) error {
	err := f.FS.Rename(from, to)
	if f.then != nil && strings.HasSuffix(to, ".seg") {
		f.then()
		f.then = nil
	}
	return err
}
