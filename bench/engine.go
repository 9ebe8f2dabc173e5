package main

import (
	"errors"
	"slices"
)

// engine is what the workloads ask of a store: the same of each.
type engine interface {
	// Put stores one object, in the way in which the store's users do it.
	Put(key, value []byte) error

	// Apply stores many objects as one batch.
	Apply(pairs []pair) error

	// Get returns a value in new memory that is the caller's.
	Get(key []byte) ([]byte, error)

	// Read lends a value to fn, where the store can do that without a copy. Where
	// it cannot it is Get, and kind.lends is false.
	Read(key []byte, fn func(value []byte)) error

	// Scan lends all objects to fn, by ascending key where kind.ordered.
	Scan(fn func(key, value []byte)) error

	// Sync brings to the disk what was put before.
	Sync() error

	Close() error
}

// pair is one object of a batch.
type pair struct{ key, value []byte }

// config is what workloads set. Everything else stays as the store has it by
// default, unless its file says otherwise and why.
type config struct {
	// Synced: each Put and Apply is on the disk when it returns. Otherwise
	// nothing waits for the disk; of varve that is SyncEvery(1s).
	Synced bool

	// Batches: there are only Apply calls.
	Batches bool

	// Writers is how many goroutines put at the same time.
	Writers int

	// SegmentSize is for varve; zero is its default.
	SegmentSize int64
}

// kind describes a store.
type kind struct {
	name    string
	module  string // path of its module, for the version
	open    func(dir string, c config) (engine, error)
	lends   bool // Read does not copy
	ordered bool // Scan goes by ascending key
}

// kinds are all stores, in the order in which they take turns and are shown.
var kinds = []kind{
	{"varve", "github.com/varve-db/varve", openVarve, true, true},
	{"pebble", "github.com/cockroachdb/pebble/v2", openPebble, true, true},
	{"pebble-large", "github.com/cockroachdb/pebble/v2", openPebbleLarge, true, true},
	{"badger", "github.com/dgraph-io/badger/v4", openBadger, true, true},
	{"bbolt", "go.etcd.io/bbolt", openBolt, true, true},
	{"pogreb", "github.com/akrylysov/pogreb", openPogreb, false, false},
	{"goleveldb", "github.com/syndtr/goleveldb", openLevel, false, true},
	{"buntdb", "github.com/tidwall/buntdb", openBunt, true, true},
	{"rosedb", "github.com/rosedblabs/rosedb/v2", openRose, false, true},
}

// kindOf returns the store of that name.
func kindOf(name string) *kind {
	if i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == name }); i >= 0 {
		return &kinds[i]
	}
	return nil
}

// errAbsent is what adapters return for a key that is not there and for which
// the store has no error of its own.
var errAbsent = errors.New("key is not there")
