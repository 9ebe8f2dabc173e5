package store

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"
)

func TestReaderFollowsALiveWriter(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(dir, &Options{SegmentSize: 1 << 16, Durability: SyncEvery(20 * time.Millisecond)})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r, err := OpenReadOnly(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for round := range 10 {
		for i := range 1000 {
			if err := db.Put(fmt.Appendf(nil, "%d/%d", round, i), make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Sync(); err != nil {
			t.Fatal(err)
		}
		key := fmt.Appendf(nil, "%d/999", round)
		for limit := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			if err := r.Refresh(); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Get(key); err == nil {
				break
			} else if !errors.Is(err, ErrNotFound) || time.Now().After(limit) {
				t.Fatalf("round %d: %v", round, err)
			}
		}
		if n := r.Stats().Objects; n != int64(round+1)*1000 {
			t.Fatalf("round %d: %d objects", round, n)
		}
	}
	fsr, err := OpenReadOnlyFS(os.DirFS(dir), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer fsr.Close()
	if n := fsr.Stats().Objects; n != 10000 {
		t.Fatalf("%d objects through io/fs", n)
	}
}
