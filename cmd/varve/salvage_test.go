package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/varve-db/varve/store"
)

// TestSalvageCutOffIsNoStore interrupts a salvage: what was written until then does not have
// the name of the new store, and is in the way of the next one until it is removed.
func TestSalvageCutOffIsNoStore(t *testing.T) {
	dir, dest := filepath.Join(t.TempDir(), "s"), filepath.Join(t.TempDir(), "saved")
	db, err := store.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Put([]byte("k"), []byte("v")), db.Close()); err != nil {
		t.Fatal(err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	a := &app{out: &output{file: null}, errs: null}
	f := &repairFlags{salvage: dest}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(&interrupted{syscall.SIGINT})
	err = a.salvage(ctx, dir, f)
	if _, ok := errors.AsType[*interrupted](err); !ok || !strings.Contains(err.Error(), "remove "+dest+".part") {
		t.Errorf("interrupted: %v", err)
	}
	there := func(name string) bool {
		_, err := os.Stat(name)
		return !errors.Is(err, fs.ErrNotExist)
	}
	if there(dest) || there(dest+".lost.json") || !there(dest+".part") {
		t.Errorf("after the interruption: store %v, list %v, part %v", there(dest), there(dest+".lost.json"), there(dest+".part"))
	}
	if err := a.salvage(t.Context(), dir, f); err == nil || !strings.Contains(err.Error(), "left over") {
		t.Errorf("over what is left: %v", err)
	}
	if err := os.RemoveAll(dest + ".part"); err != nil {
		t.Fatal(err)
	}
	if err := a.salvage(t.Context(), dir, f); err != nil {
		t.Fatal(err)
	}
	if !there(dest) || !there(dest+".lost.json") || there(dest+".part") {
		t.Errorf("at the end: store %v, list %v, part %v", there(dest), there(dest+".lost.json"), there(dest+".part"))
	}
}
