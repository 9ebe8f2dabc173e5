package main

import (
	"fmt"
	"slices"
	"time"
)

// An experiment is one workload on some stores.
type experiment struct {
	name   string // what -only is matched with, and the case of its results
	task   task   // what each store does; Dir, Store and N are set for each turn
	stores []string
	rivals []string // of stores, those that take part in every round

	// fixture: it reads a store that was filled before, and leaves it as it was.
	// dies: it works on a copy of one, which a process that dies has added to.
	fixture, dies bool

	// act, in place of all that, takes its turns by itself, once for each round.
	act func(*stage) error
}

// Groups of stores.
var (
	putters = []string{"varve", "pebble", "pebble-large", "badger", "bbolt", "pogreb", "goleveldb", "buntdb"}
	openers = []string{"varve", "pebble", "badger", "bbolt", "pogreb", "goleveldb", "buntdb", "rosedb"}
)

// sizes of values.
var sizes = []int{128, 1024}

// limits bound the time of a turn: loop bounds puts that otherwise go on to the last key, timed
// bounds puts without an end; gb is the size of the largest stores on a stage, in gigabytes.
type limits struct {
	loop, timed time.Duration
	gb          float64
}

// experiments returns all of them, those with the same fixture together.
func experiments(l limits) []experiment {
	return slices.Concat(putting(l), syncing(l), filling(l), reading(l), trusting(l), archiving(l))
}

// putting returns the experiments that put objects one by one and do not wait for the
// disk.
func putting(l limits) []experiment {
	var all []experiment
	for _, keys := range []keyKind{random, shared} {
		for _, size := range sizes {
			all = append(all, experiment{
				name:   caseName("put", keys, size),
				task:   task{Work: "put", Keys: keys, Value: size, Limit: l.loop},
				stores: putters, rivals: []string{"varve", "pebble"},
			})
		}
	}
	return all
}

// syncing returns those that put objects one by one and wait for the disk.
func syncing(l limits) []experiment {
	var all []experiment
	for _, x := range []struct {
		name    string
		work    string
		writers int
		stores  []string
	}{
		{"synced/bare", "bare", 1, []string{"varve"}},
		{"synced/1 writer", "synced", 1, putters},
		{"synced/64 writers", "synced", 64, putters},
	} {
		all = append(all, experiment{
			name:   x.name,
			task:   task{Work: x.work, Keys: random, Value: 1024, Writers: x.writers, Limit: l.timed},
			stores: x.stores, rivals: []string{"varve", "pebble"},
		})
	}
	return all
}

// filling returns those that fill an empty store for other figures than puts.
func filling(l limits) []experiment {
	var all []experiment
	for _, synced := range []bool{false, true} {
		all = append(all, experiment{
			name:   map[bool]string{false: "load/unsynced", true: "load/synced"}[synced],
			task:   task{Work: "load", Keys: random, Value: 1024, Synced: synced, Limit: l.loop},
			stores: putters, rivals: []string{"varve", "pebble"},
		})
	}
	for _, keys := range []keyKind{random, shared, ascending} {
		all = append(all, experiment{
			name:   caseName("memory", keys, 128),
			task:   task{Work: "memory", Keys: keys, Value: 128, Limit: l.loop},
			stores: []string{"varve", "buntdb", "rosedb"}, rivals: []string{"varve"},
		})
	}
	return append(all, experiment{
		name:   caseName("stall", random, 128),
		task:   task{Work: "stall", Keys: random, Value: 128, Limit: l.loop},
		stores: []string{"varve", "pebble", "pebble-large", "badger", "pogreb", "goleveldb"}, rivals: []string{"varve"},
	})
}

// reading returns those on fixtures.
func reading(l limits) []experiment {
	var all []experiment
	add := func(work string, keys keyKind, size int, stores []string, rivals ...string) {
		all = append(all, experiment{
			name:    caseName(work, keys, size),
			task:    task{Work: work, Keys: keys, Value: size, Limit: l.loop},
			stores:  stores,
			rivals:  append(rivals, "varve"),
			fixture: true,
			dies:    work == "killed",
		})
	}
	for _, keys := range []keyKind{random, shared} {
		for _, size := range sizes {
			add("get", keys, size, putters, "bbolt", "pogreb")
			add("scan", keys, size, putters, "pebble")
			if size == 128 {
				add("open", keys, size, openers, "buntdb", "rosedb")
				add("killed", keys, size, openers)
			}
		}
	}
	return all
}

// caseName names an experiment.
func caseName(work string, keys keyKind, size int) string {
	return fmt.Sprintf("%s/%s/%s", work, keys, sizeName(size))
}

func sizeName(n int) string {
	if n >= 1024 && n%1024 == 0 {
		return fmt.Sprint(n/1024, " KiB")
	}
	return fmt.Sprint(n, " B")
}
