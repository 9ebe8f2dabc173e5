package main

import (
	"bytes"
	"path/filepath"

	"go.etcd.io/bbolt"
)

// boltEngine is bbolt with its default options. A put is a transaction of its own:
// Update with one writer, Batch, which joins transactions, with several.
// Unsynced is NoSync. A get is a View of its own; Get copies the value out of
// the map, as it must if the value is to outlive the transaction.
type boltEngine struct {
	db  *bbolt.DB
	put func(func(*bbolt.Tx) error) error
}

var bucket = []byte("b")

func openBolt(dir string, c config) (engine, error) {
	db, err := bbolt.Open(filepath.Join(dir, "db"), 0o600, nil)
	if err != nil {
		return nil, err
	}
	db.NoSync = !c.Synced
	e := &boltEngine{db: db, put: db.Update}
	if c.Writers > 1 {
		e.put = db.Batch
	}
	return e, db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bucket)
		return err
	})
}

func (e *boltEngine) Put(key, value []byte) error {
	return e.put(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put(key, value) })
}

func (e *boltEngine) Apply(pairs []pair) error {
	return e.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucket)
		for _, p := range pairs {
			if err := b.Put(p.key, p.value); err != nil {
				return err
			}
		}
		return nil
	})
}

func (e *boltEngine) Get(key []byte) (v []byte, err error) {
	err = e.Read(key, func(b []byte) { v = bytes.Clone(b) })
	return v, err
}

func (e *boltEngine) Read(key []byte, fn func([]byte)) error {
	return e.db.View(func(tx *bbolt.Tx) error {
		v := tx.Bucket(bucket).Get(key)
		if v == nil {
			return errAbsent
		}
		fn(v)
		return nil
	})
}

func (e *boltEngine) Scan(fn func(key, value []byte)) error {
	return e.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucket).Cursor()
		for k, v := c.First(); k != nil; k, v = c.Next() {
			fn(k, v)
		}
		return nil
	})
}

func (e *boltEngine) Sync() error  { return e.db.Sync() }
func (e *boltEngine) Close() error { return e.db.Close() }
