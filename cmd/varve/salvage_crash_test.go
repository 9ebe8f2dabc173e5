package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/varve-db/varve/integrity/salvage"
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/store"
)

// salvaged is a disk with a new store on it, all of it durable, that has no name yet.
func salvaged(t *testing.T) (*crashfs.FS, *salvageReport) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "s")
	db, err := store.Open(dir, nil)
	if err == nil {
		err = db.Put([]byte("k"), []byte("v"))
	}
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	disk := crashfs.New()
	list, err := os.ReadDir(dir)
	if err == nil {
		err = disk.Mkdir("new.part")
	}
	for _, d := range list {
		b, rerr := os.ReadFile(filepath.Join(dir, d.Name()))
		if err = rerr; err != nil {
			break
		}
		disk.SetBytes("new.part/"+d.Name(), b)
	}
	if err == nil {
		err = disk.SyncDir(".")
	}
	if err != nil {
		t.Fatal(err)
	}
	return disk, &salvageReport{Dest: "/disk/new", Report: &salvage.Report{Objects: 1, Lost: []salvage.Loss{{Kind: salvage.LostPut, Key: "lost"}}}}
}

// namedRight reports whether the new store has its name; it is whole then, and the list of
// what is lost is there.
func namedRight(disk vfs.FS, withList bool) (named bool, err error) {
	if _, err := disk.Stat("new"); err != nil {
		return false, nil
	}
	r, err := store.OpenReadOnlyFS(vfs.AsFS(vfs.Sub(disk, "new")), nil)
	if err != nil {
		return true, err
	}
	defer r.Close()
	if v, err := r.Get([]byte("k")); string(v) != "v" {
		return true, fmt.Errorf("k is %q, %w", v, err)
	}
	if !withList {
		return true, nil
	}
	f, err := disk.Open("new.lost.json")
	if err != nil {
		return true, err
	}
	defer f.Close()
	n, err := f.Size()
	if err != nil {
		return true, err
	}
	b := make([]byte, n)
	if _, err := f.ReadAt(b, 0); err != nil {
		return true, err
	}
	var got salvageReport
	if err := json.Unmarshal(b, &got); err != nil || len(got.Lost) != 1 {
		return true, fmt.Errorf("the list of what is lost is %q, %v", b, err)
	}
	return true, nil
}

// TestPowerCutWhileASalvageIsNamed cuts the last steps of a salvage off after each of their
// operations: the new store has its name only with the list beside it, and once that was said it
// is there after any power cut.
func TestPowerCutWhileASalvageIsNamed(t *testing.T) {
	for _, withList := range []bool{true, false} {
		disk, r := salvaged(t)
		rec := disk.Record()
		if err := r.name(disk, withList); err != nil {
			t.Fatal(err)
		}
		for n := rec.First(); n <= rec.Ops(); n++ {
			for seed := range uint64(8) {
				for state, crashed := range rec.At(n).States(seed) {
					named, err := namedRight(crashed, withList)
					if err != nil || n == rec.Ops() && !named {
						t.Fatalf("with a list %v: cut after operation %d of %d (%v), %v: named %v, %v", withList, n, rec.Ops(), rec.Op(n), state, named, err)
					}
				}
			}
		}
	}
}

// TestEachCallThatNamesASalvageFails fails each call once: that is said, and the new store is
// whole, under one name or the other.
func TestEachCallThatNamesASalvageFails(t *testing.T) {
	for n := 1; ; n++ {
		disk, r := salvaged(t)
		before, failed := disk.Ops(), false
		disk.Fail(func(op crashfs.Op) error {
			if op.Kind.Mutates() && op.N == before+n {
				failed = true
				return syscall.EIO
			}
			return nil
		})
		err := r.name(disk, true)
		if disk.Fail(nil); !failed {
			if err != nil || n < 4 {
				t.Fatalf("%d operations: %v", n, err)
			}
			return
		}
		named, bad := namedRight(disk, true)
		if _, serr := disk.Stat("new.part"); err == nil || bad != nil || named == (serr == nil) {
			t.Fatalf("operation %d failed: %v; named %v, %v; the other name: %v", n, err, named, bad, serr)
		}
	}
}
