//go:build unix

package vfs

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestLock(t *testing.T) {
	dir := t.TempDir()
	fsys := Dir(dir)
	if held, err := fsys.Locked("LOCK"); held || err != nil {
		t.Errorf("absent: %v, %v", held, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "LOCK")); err == nil {
		t.Error("Locked made the file")
	}
	c, _, err := fsys.Lock("LOCK", "the first holder")
	must(t, err)
	if held, err := fsys.Locked("LOCK"); !held || err != nil {
		t.Errorf("held: %v, %v", held, err)
	}
	if _, present, err := fsys.Lock("LOCK", "another"); !errors.Is(err, ErrLocked) || present != "the first holder" {
		t.Errorf("second lock: %q, %v", present, err)
	}
	must(t, c.Close())
	if held, err := fsys.Locked("LOCK"); held || err != nil {
		t.Errorf("released: %v, %v", held, err)
	}
	c, _, err = fsys.Lock("LOCK", "next")
	must(t, err)
	if b, _ := os.ReadFile(filepath.Join(dir, "LOCK")); string(bytes.TrimRight(b, "\x00")) != "next" || len(b) != HolderSize {
		t.Errorf("the file holds %q", bytes.TrimRight(b, "\x00"))
	}
	must(t, c.Close())
}

// TestLockFileKeepsWhatStandsBehindTheHolder takes a lock again and again, by holders with
// longer and shorter messages: what one wrote behind the message stays.
func TestLockFileKeepsWhatStandsBehindTheHolder(t *testing.T) {
	dir := t.TempDir()
	fsys := Dir(dir)
	must(t, os.WriteFile(filepath.Join(dir, "LOCK"), []byte("of a program that wrote no more"), 0o600))
	for i, holder := range []string{"a", strings.Repeat("long", HolderSize), "", "b"} {
		l, _, err := fsys.Lock("LOCK", holder)
		must(t, err)
		if i == 0 {
			_, err := l.WriteAt([]byte("witness"), HolderSize)
			must(t, errors.Join(err, l.Sync()))
		}
		if _, present, err := fsys.Lock("LOCK", "other"); !errors.Is(err, ErrLocked) || present != holder[:min(len(holder), HolderSize)] {
			t.Errorf("holder %d: present %.20q, %v", i, present, err)
		}
		must(t, l.Close())
		if b, _ := os.ReadFile(filepath.Join(dir, "LOCK")); string(b[HolderSize:]) != "witness" {
			t.Errorf("after holder %d: %q", i, b[HolderSize:])
		}
	}
}

func TestLockedNeedsNoWritePermission(t *testing.T) {
	dir := t.TempDir()
	fsys := Dir(dir)
	c, _, err := fsys.Lock("LOCK", "me")
	must(t, err)
	must(t, os.Chmod(filepath.Join(dir, "LOCK"), 0o400))
	must(t, os.Chmod(dir, 0o500))
	defer os.Chmod(dir, 0o700)
	if held, err := fsys.Locked("LOCK"); !held || err != nil {
		t.Errorf("held: %v, %v", held, err)
	}
	must(t, c.Close())
	if held, err := fsys.Locked("LOCK"); held || err != nil {
		t.Errorf("released: %v, %v", held, err)
	}
}

func TestLockPassesReaders(t *testing.T) {
	fsys := Dir(t.TempDir())
	c, _, err := fsys.Lock("LOCK", "me")
	must(t, err)
	must(t, c.Close())
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if _, err := fsys.Locked("LOCK"); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	for range 50 {
		c, _, err := fsys.Lock("LOCK", "me")
		if err != nil {
			t.Errorf("a reader kept a writer out: %v", err)
			break
		}
		must(t, c.Close())
	}
	close(stop)
	readers.Wait()
}

func TestLockOfARemovedFileIsNotHeldTwice(t *testing.T) {
	dir := t.TempDir()
	fsys := Dir(dir)
	f, err := openRegular(filepath.Join(dir, "LOCK"), os.O_RDWR|os.O_CREATE|openFlags)
	must(t, err)
	defer f.Close()
	must(t, fsys.Remove("LOCK"))
	if stillNamed(f, filepath.Join(dir, "LOCK")) {
		t.Error("a removed file is still named")
	}
	write(t, fsys, "LOCK", nil)
	if stillNamed(f, filepath.Join(dir, "LOCK")) {
		t.Error("another file counts as the same")
	}
}
