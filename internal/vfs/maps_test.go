package vfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestFilesTakeAShareOfTheMaps(t *testing.T) {
	for text, want := range map[string]int64{"65530\n": 32765, "": 1<<63 - 1, "x": 1<<63 - 1, "0": 1<<63 - 1} {
		if got := mapShare(text, nil); got != want {
			t.Errorf("of %q: %d, want %d", text, got, want)
		}
	}
	if got := mapShare("65530", fs.ErrNotExist); got != 1<<63-1 {
		t.Errorf("without a limit: %d", got)
	}
	s := share{most: func() int64 { return 2 }}
	for i, want := range []bool{true, true, false, false} {
		if got := s.take(); got != want {
			t.Errorf("of two, number %d may be had: %v", i+1, got)
		}
	}
	s.give()
	for i, want := range []bool{true, false} {
		if got := s.take(); got != want {
			t.Errorf("of one that was given back, number %d may be had: %v", i+1, got)
		}
	}
}

func TestMapsAreCountedUntilTheyAreUnmapped(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Dir(dir).Open("a")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	before := maps.n.Load()
	data, unmap, err := f.Map(3)
	if errors.Is(err, ErrUnsupported) {
		t.Skip("no maps here")
	}
	if err != nil || string(data) != "abc" || maps.n.Load() != before+1 {
		t.Fatalf("%q, %v, %d maps, want %d", data, err, maps.n.Load(), before+1)
	}
	if err := unmap(); err != nil || maps.n.Load() != before {
		t.Errorf("unmapped: %v, %d maps, want %d", err, maps.n.Load(), before)
	}
	if _, _, err := f.Map(1 << 62); err == nil {
		t.Error("a map of 4 EiB")
	}
	if maps.n.Load() != before {
		t.Errorf("after one that failed: %d maps, want %d", maps.n.Load(), before)
	}
}
