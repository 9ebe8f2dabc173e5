package main

import (
	"fmt"
	"time"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/store"
)

// opens is how often a store is opened at each of two levels that are compared, in
// turns. The median counts.
const opens = 7

// actLevels opens a store at each level and compares them. The files are in the page
// cache.
func actLevels(gb float64) func(*stage) error {
	return func(s *stage) error {
		b, err := s.store(gb, 0)
		if err != nil {
			return err
		}
		at := func(l integrity.Level) task {
			return task{Work: "level", Dir: b.dir, Keys: random, N: b.objects, Value: bigValue, Level: l}
		}
		if _, err := s.child(at(integrity.Full)); err != nil { // into the page cache
			return err
		}
		some, err := s.several(opens, at(integrity.None), at(integrity.Tail), at(integrity.Log))
		if err != nil {
			return err
		}
		full, err := s.child(at(integrity.Full))
		if err != nil {
			return err
		}
		none, tail, log := some[0], some[1], some[2]
		s.record("varve", figures{
			"GB": b.gigabytes(), "newest log": float64(b.newest),
			"none": none["seconds"], "tail": tail["seconds"], "log": log["seconds"], "full": full["seconds"],
			"tail of none":              tail["seconds"] / none["seconds"],
			"log per 64 MiB":            (log["seconds"] - none["seconds"]) / float64(b.newest) * (64 << 20),
			"peak at none":              none["peak"],
			"peak at none, own":         none["peak, own"],
			"peak of full, beyond":      full["peak"] - none["peak"],
			"peak of full, beyond, own": full["peak, own"] - none["peak, own"],
		})
		return nil
	}
}

// runLevel opens the store for reading at the task's level.
func runLevel(t *task) (figures, error) {
	u := watchUsage()
	start := time.Now()
	r, err := store.OpenReadOnly(t.Dir, &store.Options{Integrity: t.Level})
	took := time.Since(start).Seconds()
	if err != nil {
		return nil, err
	}
	f := figures{}
	u.into(f)
	f["seconds"] = took
	rep := r.OpenReport()
	if rep.Level != t.Level || len(rep.Findings) > 0 || len(rep.Phases) == 0 {
		return nil, fmt.Errorf("opened at %v, not %v; findings: %v", rep.Level, t.Level, rep.Findings)
	}
	for _, p := range rep.Phases {
		f["phase "+p.Name+" s"] += p.Took.Seconds()
		f["phase "+p.Name+" records"] += float64(p.Records)
	}
	g := newGen(t.Keys, max(t.N, 2), t.Value)
	var key [keyLen]byte
	for i := 0; i < t.N; i += 1 + t.N/100 { // it is open indeed
		if v, err := r.Get(g.key(key[:], i)); err != nil || string(v) != string(g.value(i)) {
			return nil, fmt.Errorf("after opening: key %q: wrong value, or %v", key, err)
		}
	}
	return f, r.Close()
}
