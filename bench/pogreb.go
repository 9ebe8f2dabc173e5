package main

import (
	"errors"
	"io"
	"log"

	"github.com/akrylysov/pogreb"
)

// pogrebEngine is pogreb, a hash table on disk, with its default options. It has
// no order and no batches: a batch is a loop of puts, synced at its end where
// that is asked for. Unsynced, it never syncs by itself.
type pogrebEngine struct {
	db     *pogreb.DB
	synced bool
}

func openPogreb(dir string, c config) (engine, error) {
	pogreb.SetLogger(log.New(io.Discard, "", 0))
	o := &pogreb.Options{}
	if c.Synced && !c.Batches {
		o.BackgroundSyncInterval = -1 // sync on every write
	}
	db, err := pogreb.Open(dir, o)
	if err != nil {
		return nil, err
	}
	return &pogrebEngine{db, c.Synced}, nil
}

func (e *pogrebEngine) Put(key, value []byte) error { return e.db.Put(key, value) }

func (e *pogrebEngine) Apply(pairs []pair) error {
	for _, p := range pairs {
		if err := e.db.Put(p.key, p.value); err != nil {
			return err
		}
	}
	if e.synced {
		return e.db.Sync()
	}
	return nil
}

func (e *pogrebEngine) Get(key []byte) ([]byte, error) {
	v, err := e.db.Get(key)
	if err == nil && v == nil {
		err = errAbsent
	}
	return v, err
}

func (e *pogrebEngine) Read(key []byte, fn func([]byte)) error {
	v, err := e.Get(key)
	if err == nil {
		fn(v)
	}
	return err
}

func (e *pogrebEngine) Scan(fn func(key, value []byte)) error {
	it := e.db.Items()
	for {
		k, v, err := it.Next()
		if errors.Is(err, pogreb.ErrIterationDone) {
			return nil
		}
		if err != nil {
			return err
		}
		fn(k, v)
	}
}

func (e *pogrebEngine) Sync() error  { return e.db.Sync() }
func (e *pogrebEngine) Close() error { return e.db.Close() }
