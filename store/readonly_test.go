package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"testing"
	"time"

	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
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

// listed is a folder in which something happens when it was listed, once.
type listed struct {
	vfs.FS
	then func()
}

func (l *listed) ReadDir(name string) ([]fs.DirEntry, error) {
	list, err := l.FS.ReadDir(name)
	if l.then != nil {
		then := l.then
		l.then = nil
		then()
	}
	return list, err
}

// TestAReaderFollowsALogThatWasEndedWhenItOpened has logs ended and begun while a reader opens, so
// that the newest that it knows of is ended, as happens where there are many
// segments and each is small. It follows, and does not build its index anew. No seed: nothing
// is drawn.
func TestAReaderFollowsALogThatWasEndedWhenItOpened(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	putAndSeal := func(key string) {
		mustPut(t, db, key, key)
		if _, err := db.Seal(); err != nil {
			t.Fatal(err)
		}
	}
	r, err := openReader(&listed{vfs.Dir(dir), func() {
		for i := range 3 {
			putAndSeal(fmt.Sprint("a", i))
		}
	}}, resolve(t, Options{}))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r.tip.ended == (segment.Ref{}) {
		t.Fatalf("the newest log, %v, was not ended", r.tip.hdr.Ref)
	}
	before := r.OpenReport().Objects
	want := map[string]string{"a0": "a0", "a1": "a1", "a2": "a2"}
	for i := range 3 {
		key := fmt.Sprint("b", i)
		want[key] = key
		putAndSeal(key)
		if err := r.Refresh(); err != nil {
			t.Fatal(err)
		}
		mustHold(t, r, want)
	}
	if rep := r.OpenReport(); rep.Objects != before {
		t.Errorf("the index was built anew, of %d objects", rep.Objects)
	}
}
