package main

import (
	"bytes"

	"github.com/rosedblabs/rosedb/v2"
)

// roseEngine is rosedb with its default options: like varve a log in segments and an
// ordered index in memory, but without anything that spares reading all
// of the log when it is opened. Its index keeps the caller's keys, so they are cloned.
// It is here for the experiments that open stores.
type roseEngine struct {
	db     *rosedb.DB
	synced bool
}

func openRose(dir string, c config) (engine, error) {
	o := rosedb.DefaultOptions
	o.DirPath, o.Sync = dir, c.Synced
	db, err := rosedb.Open(o)
	if err != nil {
		return nil, err
	}
	return &roseEngine{db, c.Synced}, nil
}

func (e *roseEngine) Put(key, value []byte) error { return e.db.Put(bytes.Clone(key), value) }

func (e *roseEngine) Apply(pairs []pair) error {
	b := e.db.NewBatch(rosedb.BatchOptions{Sync: e.synced})
	for _, p := range pairs {
		if err := b.Put(bytes.Clone(p.key), p.value); err != nil {
			return err
		}
	}
	return b.Commit()
}

func (e *roseEngine) Get(key []byte) ([]byte, error) { return e.db.Get(key) }

func (e *roseEngine) Read(key []byte, fn func([]byte)) error {
	v, err := e.db.Get(key)
	if err == nil {
		fn(v)
	}
	return err
}

func (e *roseEngine) Scan(fn func(key, value []byte)) error {
	e.db.Ascend(func(k, v []byte) (bool, error) {
		fn(k, v)
		return true, nil
	})
	return nil
}

func (e *roseEngine) Sync() error  { return e.db.Sync() }
func (e *roseEngine) Close() error { return e.db.Close() }
