package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
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
