package main

import (
	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"
)

// levelEngine is goleveldb with its default options: a write-ahead log, a write
// buffer of 4 MiB, a block cache of 8 MiB. Its Get returns a copy.
type levelEngine struct {
	db    *leveldb.DB
	write *opt.WriteOptions
	b     leveldb.Batch
}

func openLevel(dir string, c config) (engine, error) {
	db, err := leveldb.OpenFile(dir, nil)
	if err != nil {
		return nil, err
	}
	return &levelEngine{db: db, write: &opt.WriteOptions{Sync: c.Synced}}, nil
}

func (e *levelEngine) Put(key, value []byte) error { return e.db.Put(key, value, e.write) }

func (e *levelEngine) Apply(pairs []pair) error {
	e.b.Reset()
	for _, p := range pairs {
		e.b.Put(p.key, p.value)
	}
	return e.db.Write(&e.b, e.write)
}

func (e *levelEngine) Get(key []byte) ([]byte, error) { return e.db.Get(key, nil) }

func (e *levelEngine) Read(key []byte, fn func([]byte)) error {
	v, err := e.db.Get(key, nil)
	if err == nil {
		fn(v)
	}
	return err
}

func (e *levelEngine) Scan(fn func(key, value []byte)) error {
	it := e.db.NewIterator(nil, nil)
	defer it.Release()
	for it.Next() {
		fn(it.Key(), it.Value())
	}
	return it.Error()
}

// Sync deletes a key that is not there, synced: goleveldb has no other call that
// syncs its log.
func (e *levelEngine) Sync() error {
	return e.db.Delete([]byte("\xffsync"), &opt.WriteOptions{Sync: true})
}

func (e *levelEngine) Close() error { return e.db.Close() }
