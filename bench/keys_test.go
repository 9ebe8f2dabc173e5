package main

import (
	"bytes"
	"slices"
	"testing"
)

func TestKeysAreDistinctAndTheSameInEveryRun(t *testing.T) {
	for _, kind := range []keyKind{random, shared, ascending} {
		for _, n := range []int{1000, 1024, 1025, 50_000} {
			g, again := newGen(kind, n, 128), newGen(kind, n, 128)
			seen := map[string]bool{}
			for i := range n + n/4 { // the dying process puts keys beyond n
				k := g.key(nil, i)
				if len(k) != keyLen || seen[string(k)] {
					t.Fatalf("%s, n %d: key %d is %q: wrong length, or twice", kind, n, i, k)
				}
				seen[string(k)] = true
				if !bytes.Equal(k, again.key(nil, i)) || !bytes.Equal(g.value(i), again.value(i)) {
					t.Fatalf("%s: object %d differs in another run", kind, i)
				}
			}
		}
	}
}

func TestSharedKeysAreScatteredNumbers(t *testing.T) {
	const n = 10_000
	g, sorted := newGen(shared, n, 1), newGen(ascending, n, 1)
	var all [][]byte
	up := 0
	for i := range n {
		all = append(all, g.key(nil, i))
		if i > 0 && bytes.Compare(all[i-1], all[i]) < 0 {
			up++
		}
	}
	if up < n*45/100 || up > n*55/100 {
		t.Errorf("%d of %d keys are above the one before: not scattered", up, n)
	}
	slices.SortFunc(all, bytes.Compare)
	for i := range n {
		if string(all[i]) != string(sorted.key(nil, i)) {
			t.Fatalf("sorted key %d is %q, want %q", i, all[i], sorted.key(nil, i))
		}
	}
	if string(all[42]) != "user:00000000042" {
		t.Errorf("key 42 is %q", all[42])
	}
}
