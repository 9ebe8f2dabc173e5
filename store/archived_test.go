package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/vfs"
)

// ship copies the sealed segments of a store as an archive lays them out.
func ship(t *testing.T, dir, archive string) {
	t.Helper()
	s, err := integrity.Look(vfs.Dir(dir))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range s.Files {
		if !e.Sealed {
			continue
		}
		to := filepath.Join(archive, s.UUID.String(), e.Header.Ref.Timeline.String())
		if err := os.MkdirAll(to, 0o700); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, e.Name), b, 0o400)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestOpenReadOnlyOnAnArchive opens an archive in place: of a store that crashed, so
// that its segments are on two timelines.
func TestOpenReadOnlyOnAnArchive(t *testing.T) {
	dir, archive := filepath.Join(t.TempDir(), "s"), t.TempDir()
	o := &Options{SegmentSize: MinSegmentSize}
	want := map[string]string{}
	for round := range 3 {
		db, err := Open(dir, o)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 50 {
			k, v := fmt.Sprintf("key %d", (i+round*30)%70), strings.Repeat(fmt.Sprint(round, i), 50)
			if err := db.Put([]byte(k), []byte(v)); err != nil {
				t.Fatal(err)
			}
			want[k] = v
		}
		if _, err := db.Seal(); err != nil {
			t.Fatal(err)
		}
		mustClose(t, db)
		next := filepath.Join(t.TempDir(), "s") // a copy: the next open begins a timeline
		if err := os.CopyFS(next, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		ship(t, dir, archive)
		dir = next
	}
	stores, err := filepath.Glob(archive + "/*")
	if err != nil || len(stores) != 1 {
		t.Fatal(stores, err)
	}
	if lines, _ := filepath.Glob(archive + "/*/*"); len(lines) < 2 {
		t.Fatalf("timelines: %v", lines)
	}
	for _, at := range []string{archive, stores[0]} {
		r, err := OpenReadOnly(at, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := readAll(r)
		if err != nil || len(got) != len(want) {
			t.Errorf("%d objects, %v; want %d", len(got), err, len(want))
		}
		for k, v := range want {
			if string(got[k].Value) != v {
				t.Errorf("%s differs", k)
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// Two stores in one archive: one has to be named.
	other := filepath.Join(t.TempDir(), "o")
	makeStore(t, other, 10)
	ship(t, other, archive)
	if _, err := OpenReadOnly(archive, nil); err == nil || !strings.Contains(err.Error(), "open the folder of one") {
		t.Errorf("an archive of two stores: %v", err)
	}
}
