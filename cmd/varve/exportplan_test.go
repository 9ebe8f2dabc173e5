package main

import (
	"slices"
	"testing"
)

// TestKeysInTheWayOfEachOther has other keys sort between a file and what would lie below it.
func TestKeysInTheWayOfEachOther(t *testing.T) {
	keys := []string{"a", "a!", "a!/x", "a/b", "a0", "b", "b-", "b-/c/d", "b-/c/d/e/f", "b0/c", "c!", "c/d", "cc"}
	slices.Sort(keys)
	var c keyCheck
	var bad []string
	for _, k := range keys {
		if c.check(k) != nil {
			bad = append(bad, k)
		}
	}
	if want := []string{"a!/x", "a/b", "b-/c/d", "b-/c/d/e/f"}; !slices.Equal(bad, want) {
		t.Errorf("refused %q, want %q", bad, want)
	}
}
