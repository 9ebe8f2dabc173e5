package main

import (
	"bytes"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// pebbleEngine is pebble with its default options: a write-ahead log, memtables
// of 4 MiB, a block cache of 8 MiB (the page cache holds the rest). Unsynced is
// pebble.NoSync, under which the log is written but not synced.
type pebbleEngine struct {
	db    *pebble.DB
	write *pebble.WriteOptions
}

func openPebble(dir string, c config) (engine, error) {
	return openPebbleWith(dir, c, &pebble.Options{})
}

// openPebbleLarge opens pebble with more memory than it takes by default:
// memtables of 64 MiB and a block cache of 256 MiB, as much as badger's. The
// targets are set against the defaults; this shows what they leave out.
func openPebbleLarge(dir string, c config) (engine, error) {
	return openPebbleWith(dir, c, &pebble.Options{MemTableSize: 64 << 20, CacheSize: 256 << 20})
}

func openPebbleWith(dir string, c config, o *pebble.Options) (engine, error) {
	o.Logger = silent{}
	db, err := pebble.Open(dir, o)
	if err != nil {
		return nil, err
	}
	e := &pebbleEngine{db: db, write: pebble.NoSync}
	if c.Synced {
		e.write = pebble.Sync
	}
	return e, nil
}

func (e *pebbleEngine) Put(key, value []byte) error { return e.db.Set(key, value, e.write) }

func (e *pebbleEngine) Apply(pairs []pair) error {
	b := e.db.NewBatch()
	defer b.Close()
	for _, p := range pairs {
		if err := b.Set(p.key, p.value, nil); err != nil {
			return err
		}
	}
	return b.Commit(e.write)
}

func (e *pebbleEngine) Get(key []byte) ([]byte, error) {
	v, closer, err := e.db.Get(key)
	if err != nil {
		return nil, err
	}
	v = bytes.Clone(v)
	return v, closer.Close()
}

func (e *pebbleEngine) Read(key []byte, fn func([]byte)) error {
	v, closer, err := e.db.Get(key)
	if err != nil {
		return err
	}
	fn(v)
	return closer.Close()
}

func (e *pebbleEngine) Scan(fn func(key, value []byte)) error {
	it, err := e.db.NewIter(nil)
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		fn(it.Key(), it.Value())
	}
	return it.Close()
}

// Sync syncs the log, and with it all that was put before.
func (e *pebbleEngine) Sync() error { return e.db.LogData(nil, pebble.Sync) }

func (e *pebbleEngine) Close() error { return e.db.Close() }

// settle writes the memtables and waits until no compaction is at work, so
// that reading experiments find pebble at its best.
func (e *pebbleEngine) settle() error {
	if err := e.db.Flush(); err != nil {
		return err
	}
	for quiet := 0; quiet < 5; quiet++ {
		if e.db.Metrics().Compact.NumInProgress > 0 {
			quiet = 0
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil
}

// silent is a logger of pebble that says nothing.
type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(format string, args ...any) {
	panic("pebble: " + format)
}
