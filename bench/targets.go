package main

import (
	"fmt"
	"slices"
)

// A target is what a figure of varve's should be: at least so many times that
// of a rival, or within a bound.
type goal struct {
	title  string
	name   string // of the experiment
	metric string
	unit   unit

	of     string // the rival; its figure is the same metric
	times  float64
	most   float64 // without a rival, zero: no bound
	least  float64
	or     string // a metric that may be within orMost instead, as a ratio
	orMost float64

	scale string  // a metric that says how large the experiment was, or empty
	full  float64 // how large the target is set for
}

// targets returns all of them.
func targets() []goal {
	all := append(putTargets(), getTargets()...)
	for _, keys := range []keyKind{random, shared} {
		all = append(all, openTargets(keys)...)
	}
	for _, keys := range []keyKind{random, shared, ascending} {
		all = append(all, goal{title: fmt.Sprintf("heap per key beyond its bytes, %s keys, after loading", keys),
			name: caseName("memory", keys, 128), metric: "heap per key", unit: size, most: 48})
	}
	all = append(all, goal{title: "99.9th percentile of a buffered put while segments seal (or ≤ 5× that without)",
		name: caseName("stall", random, 128), metric: "p99.9", unit: seconds, most: 100e-6, or: "p99.9 of calm", orMost: 5})
	return slices.Concat(all, trustTargets(), archiveTargets(), manyTargets())
}

// putTargets are those of writing.
func putTargets() []goal {
	var all []goal
	add := func(t goal) { all = append(all, t) }
	for _, keys := range []keyKind{random, shared} {
		for _, v := range sizes {
			add(goal{title: fmt.Sprintf("put, SyncEvery(1s), %s keys, %s", keys, sizeName(v)), name: caseName("put", keys, v),
				metric: "rate", of: "pebble", times: either(keys, 3, 2)})
		}
	}
	add(goal{title: "put, SyncAlways, 1 writer, 1 KiB: of bare append + fdatasync", name: "synced/bare", metric: "of bare", unit: ratio, least: 0.95})
	add(goal{title: "put, SyncAlways, 64 writers, 1 KiB", name: "synced/64 writers", metric: "rate", of: "pebble", times: 1.5})
	add(goal{title: "load, batches of 1000 × 1 KiB, unsynced", name: "load/unsynced", metric: "rate", of: "pebble", times: 2})
	add(goal{title: "load, batches of 1000 × 1 KiB, each synced", name: "load/synced", metric: "rate", of: "pebble", times: 2})
	return all
}

// getTargets are those of reading.
func getTargets() []goal {
	var all []goal
	add := func(t goal) { all = append(all, t) }
	for _, keys := range []keyKind{random, shared} {
		for _, v := range sizes {
			for readers := 1; readers <= 2; readers++ {
				add(goal{title: fmt.Sprintf("get (a copy), %d reader%s, %s keys, %s", readers, "s"[:readers-1], keys, sizeName(v)),
					name: caseName("get", keys, v), metric: fmt.Sprint(readers, " copied"), of: "bbolt", times: either(keys, 1.5, 1.2)})
			}
		}
	}
	for _, keys := range []keyKind{random, shared} {
		for _, v := range sizes {
			add(goal{title: fmt.Sprintf("ordered scan, %s keys, %s", keys, sizeName(v)), name: caseName("scan", keys, v),
				metric: "rate", of: "pebble", times: 4})
		}
	}
	return all
}

// openTargets are those of opening and of the memory of an open store.
func openTargets(keys keyKind) []goal {
	name := caseName("open", keys, 128)
	title := fmt.Sprintf("open, %s keys", keys)
	return []goal{
		{title: title, name: name, metric: "seconds", unit: seconds, most: either(keys, 0.25, 0.4)},
		{title: title, name: name, metric: "seconds", unit: seconds, of: "buntdb", times: 5},
		{title: title, name: name, metric: "seconds", unit: seconds, of: "rosedb", times: 5},
		{title: title + ": peak heap, of that when open", name: name, metric: "peak of after", unit: ratio, most: 1.3},
		{title: fmt.Sprintf("heap per key beyond its bytes, %s keys, reopened", keys), name: name, metric: "heap per key", unit: size, most: 48},
	}
}

// either returns the first for random keys and the second for others.
func either(keys keyKind, r, other float64) float64 {
	if keys == random {
		return r
	}
	return other
}

// titleIn is the title, with how large the experiment was in a run, if that is less
// than what the target is set for.
func (t *goal) titleIn(r *results) string {
	if v, ok := r.median(t.name, "varve", t.scale); ok && v < 0.95*t.full {
		return fmt.Sprintf("%s (with %.3g of %g %s)", t.title, v, t.full, t.scale)
	}
	return t.title
}

// verdict is how a target stands.
type verdict struct {
	figure string // varve's
	rival  string // the rival's figure, or empty
	ratio  string // of the two, or empty
	want   string
	pass   bool
}

// judge compares a target with the medians of a run. ok is false where the run
// has nothing to compare.
func (t *goal) judge(r *results) (v verdict, ok bool) {
	ours, ok := r.median(t.name, "varve", t.metric)
	if !ok {
		return v, false
	}
	v.figure = t.unit.format(ours)
	switch {
	case t.of != "":
		theirs, ok := r.median(t.name, t.of, t.metric)
		if !ok {
			return v, false
		}
		times := ours / theirs
		if t.unit.lessIsBetter() {
			times = 1 / times
		}
		v.rival = t.of + " " + t.unit.format(theirs)
		v.ratio = ratio.format(times)
		v.want = fmt.Sprintf("≥ %g×", t.times)
		v.pass = times >= t.times
	case t.most > 0:
		v.want = "≤ " + t.unit.format(t.most)
		v.pass = ours <= t.most
		if other, ok := r.median(t.name, "varve", t.or); ok {
			v.ratio = ratio.format(other)
			v.pass = v.pass || other <= t.orMost
		}
	default:
		v.want = "≥ " + t.unit.format(t.least)
		v.pass = ours >= t.least
	}
	return v, true
}
