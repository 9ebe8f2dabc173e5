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
	var early *Reader // opened when the archive had little
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
		if early == nil {
			if early, err = OpenReadOnly(archive, nil); err != nil {
				t.Fatal(err)
			}
			defer mustClose(t, early)
		}
	}
	if err := early.Refresh(); err != nil {
		t.Fatal(err)
	}
	if got, err := readAll(early); err != nil || len(got) != len(want) {
		t.Errorf("after Refresh: %d objects, %v; want %d", len(got), err, len(want))
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
		if rep := r.OpenReport(); rep.Lost != nil || len(rep.Notes) != 1 {
			t.Errorf("an archive never has the newest log: lost %v, notes %q", rep.Lost, rep.Notes)
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

// TestArchiveWithOneIDOnTwoTimelines opens an archive in which two copies of one store,
// both written to, have segments of the same id: one must not hide the other.
func TestArchiveWithOneIDOnTwoTimelines(t *testing.T) {
	base, archive := filepath.Join(t.TempDir(), "s"), t.TempDir()
	makeStore(t, base, 10)
	var lines []string
	for _, name := range []string{"a", "b"} {
		dir := filepath.Join(t.TempDir(), name)
		if err := os.CopyFS(dir, os.DirFS(base)); err != nil {
			t.Fatal(err)
		}
		db, err := Open(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := db.Put([]byte("who"), []byte(name)); err != nil {
				t.Fatal(err)
			}
			if _, err := db.Seal(); err != nil {
				t.Fatal(err)
			}
		}
		lines = append(lines, db.OpenReport().Timeline.String())
		mustClose(t, db)
		ship(t, dir, archive)
	}
	fsys, err := unarchive(vfs.Dir(archive))
	if err != nil {
		t.Fatal(err)
	}
	s, err := integrity.Look(fsys)
	if err != nil {
		t.Fatal(err)
	}
	n := map[string]int{}
	for _, e := range s.Files {
		n[e.Header.Ref.Timeline.String()]++
	}
	if n[lines[0]] == 0 || n[lines[0]] != n[lines[1]] || len(s.Others) > 0 {
		t.Errorf("segments by timeline: %v, want as many of %v; others: %v", n, lines, s.Others)
	}
	// Neither is the newest state of the other, so none is shown for it.
	if _, err := OpenReadOnly(archive, nil); !isCorrupt(err) {
		t.Errorf("an archive with two newest states: %v", err)
	}
}
