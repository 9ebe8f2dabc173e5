package main

import (
	"github.com/dgraph-io/badger/v4"
)

// badgerEngine is badger with its default options (memtables of 64 MiB, a block
// cache of 256 MiB, values of both sizes inlined in its tables) and without
// logging. A put is a transaction of its own, a batch is a WriteBatch.
type badgerEngine struct{ db *badger.DB }

func openBadger(dir string, c config) (engine, error) {
	db, err := badger.Open(badger.DefaultOptions(dir).WithLogger(nil).WithSyncWrites(c.Synced))
	if err != nil {
		return nil, err
	}
	return &badgerEngine{db}, nil
}

func (e *badgerEngine) Put(key, value []byte) error {
	return e.db.Update(func(tx *badger.Txn) error { return tx.Set(key, value) })
}

func (e *badgerEngine) Apply(pairs []pair) error {
	b := e.db.NewWriteBatch()
	defer b.Cancel()
	for _, p := range pairs {
		if err := b.Set(p.key, p.value); err != nil {
			return err
		}
	}
	return b.Flush()
}

func (e *badgerEngine) Get(key []byte) (v []byte, err error) {
	err = e.db.View(func(tx *badger.Txn) error {
		it, err := tx.Get(key)
		if err == nil {
			v, err = it.ValueCopy(nil)
		}
		return err
	})
	return v, err
}

func (e *badgerEngine) Read(key []byte, fn func([]byte)) error {
	return e.db.View(func(tx *badger.Txn) error {
		it, err := tx.Get(key)
		if err != nil {
			return err
		}
		return it.Value(func(v []byte) error {
			fn(v)
			return nil
		})
	})
}

func (e *badgerEngine) Scan(fn func(key, value []byte)) error {
	return e.db.View(func(tx *badger.Txn) error {
		it := tx.NewIterator(badger.DefaultIteratorOptions)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			item := it.Item()
			err := item.Value(func(v []byte) error {
				fn(item.Key(), v)
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (e *badgerEngine) Sync() error  { return e.db.Sync() }
func (e *badgerEngine) Close() error { return e.db.Close() }
