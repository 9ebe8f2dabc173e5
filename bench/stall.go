package main

import (
	"math"
	"slices"
	"time"

	"github.com/varve-db/varve/store"
)

// runStall takes the time of each buffered put, in a store whose segments are so
// large that none is sealed and in one that seals all the time. A peer runs once, in
// its unsynced mode.
func runStall(t *task) (figures, error) {
	f := figures{}
	if t.Store != "varve" {
		return f, t.latencies(f, "", 0)
	}
	if err := t.latencies(f, ", no seals", store.MaxSegmentSize); err != nil {
		return nil, err
	}
	if err := t.latencies(f, "", 8<<20); err != nil {
		return nil, err
	}
	f["p99.9 of calm"] = f["p99.9"] / f["p99.9, no seals"]
	return f, nil
}

// latencies puts objects as fast as it can and adds percentiles of the time of a
// put, in seconds, to f.
func (t *task) latencies(f figures, suffix string, segment int64) error {
	g := newGen(t.Keys, t.N, t.Value)
	e, err := t.open("s"+suffix, config{SegmentSize: segment})
	if err != nil {
		return err
	}
	took := make([]uint32, 0, t.N) // ns
	var key [keyLen]byte
	start := time.Now()
	for i := 0; i < t.N && time.Since(start) < t.Limit; i++ {
		k, v := g.key(key[:], i), g.value(i)
		before := time.Now()
		if err := e.Put(k, v); err != nil {
			return err
		}
		took = append(took, uint32(min(time.Since(before), math.MaxUint32)))
	}
	slices.Sort(took)
	at := func(part float64) float64 {
		return float64(took[int(part*float64(len(took)-1))]) / 1e9
	}
	f["p50"+suffix], f["p99"+suffix], f["p99.9"+suffix], f["max"+suffix] = at(.5), at(.99), at(.999), at(1)
	return e.Close()
}
