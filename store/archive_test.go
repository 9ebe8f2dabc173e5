package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/varve-db/varve/segment"
)

// TestAnArchiveIsNotOpenedAsAStore, nor is the folder of one store in it: the error says what
// it is and which calls open it. Nothing is written there.
func TestAnArchiveIsNotOpenedAsAStore(t *testing.T) {
	archive := t.TempDir()
	of := filepath.Join(archive, "51000000-0000-0000-0000-0000000000ac")
	line := filepath.Join(of, "0000000000007e57")
	if err := errors.Join(os.MkdirAll(line, 0o700), os.WriteFile(filepath.Join(archive, segment.ArchiveName), []byte("{}"), 0o600)); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "s")
	db, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Put([]byte("k"), []byte("v")); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Seal(); err != nil {
		t.Fatal(err)
	}
	mustClose(t, db)
	if err := os.Rename(filepath.Join(dir, sealName(1)), filepath.Join(line, sealName(1))); err != nil {
		t.Fatal(err)
	}
	opens := map[string]func(dir string) error{
		"OpenReadOnly": func(dir string) error { _, err := OpenReadOnly(dir, nil); return err },
		"Open":         func(dir string) error { _, err := Open(dir, nil); return err },
	}
	for what, open := range opens {
		for _, at := range []string{archive, of} {
			err := open(at)
			e, ok := errors.AsType[*ArchiveError](err)
			if !ok || !errors.Is(err, ErrNotStore) || e.Dir != at || e.Archive != archive || !strings.Contains(err.Error(), "Plan.FS") {
				t.Errorf("%s of %s: %v", what, at, err)
			}
			if _, err := os.Stat(filepath.Join(at, "LOCK")); err == nil {
				t.Errorf("%s of %s left a LOCK", what, at)
			}
		}
	}
	// A folder with segments is read by their headers, wherever it is.
	r, err := OpenReadOnly(line, nil)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := r.Get([]byte("k")); err != nil || string(v) != "v" {
		t.Errorf("a timeline's folder: %q, %v", v, err)
	}
	mustClose(t, r)
	// What is no archive is named as before.
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "letter"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for what, open := range opens {
		if err := open(other); !errors.Is(err, ErrNotStore) || errors.As(err, new(*ArchiveError)) {
			t.Errorf("%s of another folder: %v", what, err)
		}
	}
}
