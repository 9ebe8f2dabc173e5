package main

import (
	"time"

	"github.com/varve-db/varve/store"
)

// varveEngine is varve with its default options. Unsynced is SyncEvery(1s), the
// weaker of its two modes: unlike its peers then, it does wait for the disk, once
// an object is about to be a second old.
type varveEngine struct {
	db *store.DB
	b  store.Batch
}

func openVarve(dir string, c config) (engine, error) {
	o := &store.Options{SegmentSize: c.SegmentSize}
	if !c.Synced {
		o.Durability = store.SyncEvery(time.Second)
	}
	db, err := store.Open(dir, o)
	if err != nil {
		return nil, err
	}
	return &varveEngine{db: db}, nil
}

func (e *varveEngine) Put(key, value []byte) error { return e.db.Put(key, value) }

func (e *varveEngine) Apply(pairs []pair) error {
	e.b.Reset()
	for _, p := range pairs {
		if err := e.b.Put(p.key, p.value); err != nil {
			return err
		}
	}
	return e.db.Apply(&e.b)
}

func (e *varveEngine) Get(key []byte) ([]byte, error) { return e.db.Get(key) }

func (e *varveEngine) Read(key []byte, fn func([]byte)) error {
	return e.db.Read(key, func(o store.Object) error {
		fn(o.Value)
		return nil
	})
}

func (e *varveEngine) Scan(fn func(key, value []byte)) error {
	for o, err := range e.db.Scan(store.Range{}) {
		if err != nil {
			return err
		}
		fn(o.Key, o.Value)
	}
	return nil
}

func (e *varveEngine) Sync() error  { return e.db.Sync() }
func (e *varveEngine) Close() error { return e.db.Close() }

// phases returns what the open did, as figures.
func (e *varveEngine) phases() figures {
	r := e.db.OpenReport()
	f := figures{"segments": float64(r.Segments)}
	for _, p := range r.Phases {
		f["phase "+p.Name+" s"] += p.Took.Seconds()
		f["phase "+p.Name+" records"] += float64(p.Records)
	}
	return f
}
