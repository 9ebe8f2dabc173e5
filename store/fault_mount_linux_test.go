package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/varve-db/varve/internal/vfs"
)

// TestRealDiskFills does what TestDiskFills does, on a tmpfs.
func TestRealDiskFills(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounts a tmpfs: needs root on Linux; TestDiskFills does it in memory")
	}
	noLeaks(t)
	for size, taken := range map[string]int{"64k": 36 << 10, "1m": 300 << 10} {
		for _, mode := range []Durability{SyncAlways, SyncEvery(10 * time.Millisecond)} {
			t.Run(fmt.Sprintf("%s, sync %v", size, mode), func(t *testing.T) {
				dir := t.TempDir()
				if err := syscall.Mount("varve", dir, "tmpfs", 0, "size="+size); err != nil {
					t.Skipf("cannot mount a tmpfs: %v", err)
				}
				defer func() {
					if err := syscall.Unmount(dir, 0); err != nil {
						t.Errorf("unmount, is a file open? %v", err)
					}
				}()
				ballast := filepath.Join(dir, "ballast")
				if err := os.WriteFile(ballast, make([]byte, taken), 0o600); err != nil {
					t.Fatal(err)
				}
				fillReal(t, filepath.Join(dir, "store"), ballast, mode)
			})
		}
	}
}

func fillReal(t *testing.T, dir, ballast string, mode Durability) {
	opt := Options{SegmentSize: 16 << 10, Durability: mode}
	db, err := Open(dir, &opt)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	d := &drill{mode: mode, db: db, files: &counted{FS: vfs.Dir(dir)}}
	n := d.fill("a", 300)
	t.Logf("%d objects; %v; %d bytes in reserve", n, d.failed, db.Stats().Reserve)
	d.trouble = nil // paths are not those of crashfs
	d.full(t)
	if n > 100 {
		d.deletes(t, "a", 20)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	limit := time.Now().Add(patience)
	for {
		d.failed = nil
		if d.put("again", 100); d.failed == nil {
			break
		}
		if time.Now().After(limit) {
			t.Fatalf("puts do not resume: %v", d.failed)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	d.track.ack(0)
	db, err = Open(dir, &opt)
	if err != nil {
		t.Fatal(err)
	}
	got, err := readAll(db)
	if err == nil {
		err = d.track.check(all, got, 0)
	}
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}
