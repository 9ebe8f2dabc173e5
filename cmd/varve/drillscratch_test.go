package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestScratchOfKilledDrillsIsRemoved, and that of a drill at work, or about to be, is not.
func TestScratchOfKilledDrillsIsRemoved(t *testing.T) {
	parent := t.TempDir()
	mk := func(name string, age time.Duration, file string) string {
		dir := filepath.Join(parent, name)
		if err := os.MkdirAll(filepath.Join(dir, "store"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(dir, at, at); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	killed, old := mk("varve-drill-killed", 0, scratchLock), mk("varve-drill-old", time.Hour, "x")
	begun, other := mk("varve-drill-begun", 0, "x"), mk("other", time.Hour, "x")
	working, release, err := newScratch(parent)
	if err != nil {
		t.Fatal(err)
	}
	second, release2, err := newScratch(parent)
	if err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]bool{killed: false, old: false, begun: true, other: true, working: true, second: true} {
		if _, err := os.Stat(dir); (err == nil) != want {
			t.Errorf("%s: %v, want there %v", dir, err, want)
		}
	}
	for _, r := range []func() error{release, release2} {
		if err := r(); err != nil {
			t.Error(err)
		}
	}
	if err := sweepScratch(parent); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(working); err == nil {
		t.Error("a drill ended without removing its folder, and the next does not")
	}
}
