package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// TestHandlesReadAnyNumberOfFiles has more files read at once than may be open, by
// more goroutines. No seed: nothing is drawn.
func TestHandlesReadAnyNumberOfFiles(t *testing.T) {
	const files, most = 40, 3
	dir := t.TempDir()
	for i := range files {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), fmt.Append(nil, "file ", i), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	open := 0
	p := NewHandles(func(name string) (File, error) {
		mu.Lock()
		defer mu.Unlock()
		if open == most {
			return nil, syscall.EMFILE
		}
		f, err := Dir(dir).Open(name)
		if err == nil {
			open++
		}
		return &closing{f, func() { mu.Lock(); open--; mu.Unlock() }}, err
	}, KeepFew)
	var handles []*Handle
	for i := range files {
		h, err := p.Open(fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		handles = append(handles, h)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i, h := range handles {
				want := fmt.Sprint("file ", i)
				b := make([]byte, len(want))
				if _, err := h.ReadAt(b, 0); err != nil || string(b) != want {
					t.Errorf("file %d: %q, %v", i, b, err)
				}
			}
		})
	}
	wg.Wait()
	for _, h := range handles {
		if err := errors.Join(h.Close(), h.Close()); err != nil {
			t.Error(err)
		}
	}
	if _, err := handles[0].ReadAt(make([]byte, 1), 0); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("a read after Close: %v", err)
	}
	if open != 0 {
		t.Errorf("%d files are still open", open)
	}
}

// closing is a file that says when it is closed.
type closing struct {
	File
	said func()
}

func (c *closing) Close() error {
	defer c.said()
	return c.File.Close()
}
