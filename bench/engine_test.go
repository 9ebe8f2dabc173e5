package main

import (
	"fmt"
	"testing"
)

// TestEngines holds every store's adapter to what the workloads ask of it.
func TestEngines(t *testing.T) {
	for _, k := range kinds {
		for _, c := range []config{{}, {Synced: true, Writers: 2}, {Synced: true, Batches: true}} {
			t.Run(fmt.Sprintf("%s/synced=%t/batches=%t", k.name, c.Synced, c.Batches), func(t *testing.T) {
				testEngine(t, &k, c)
			})
		}
	}
}

func testEngine(t *testing.T, k *kind, c config) {
	const n = 120
	dir := t.TempDir()
	g := newGen(shared, n, 128)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	e, err := k.open(dir, c)
	must(err)
	begin, key := 0, make([]byte, keyLen) // the key is used again for each
	for ; !c.Batches && begin < 20; begin++ {
		must(e.Put(g.key(key, begin), g.value(begin)))
	}
	_, err = fill(e, g, begin, n, 1<<62)
	must(err)
	must(e.Sync())
	must(warm(e, g))
	must(checkScan(e, g, k.ordered))
	must(e.Close())

	e, err = k.open(dir, config{})
	must(err)
	must(warm(e, g))
	must(checkScan(e, g, k.ordered))
	for readers := 1; readers <= 2; readers++ {
		_, err = get(e.Get, nil, g, readers)
		must(err)
		_, err = get(nil, e.Read, g, readers)
		must(err)
	}
	if v, err := e.Get([]byte("no such key")); err == nil {
		t.Errorf("get of an absent key: %q and no error", v)
	}
	must(e.Close())
}
