package main

import (
	"path/filepath"
	"unsafe"

	"github.com/tidwall/buntdb"
)

// buntEngine is buntdb: all objects in memory, a log on disk that is replayed by
// an open. Its unsynced mode is SyncPolicy Never, its synced one Always. Keys and
// values are strings, so a put pays for two conversions and Get for one. Automatic shrinking stays
// on, as it is by default.
type buntEngine struct {
	db *buntdb.DB
}

func openBunt(dir string, c config) (engine, error) {
	db, err := buntdb.Open(filepath.Join(dir, "db"))
	if err != nil {
		return nil, err
	}
	policy := buntdb.Never
	if c.Synced {
		policy = buntdb.Always
	}
	return &buntEngine{db}, setPolicy(db, policy)
}

func setPolicy(db *buntdb.DB, p buntdb.SyncPolicy) error {
	var conf buntdb.Config
	if err := db.ReadConfig(&conf); err != nil {
		return err
	}
	conf.SyncPolicy = p
	return db.SetConfig(conf)
}

func (e *buntEngine) Put(key, value []byte) error {
	return e.db.Update(func(tx *buntdb.Tx) error {
		_, _, err := tx.Set(string(key), string(value), nil)
		return err
	})
}

func (e *buntEngine) Apply(pairs []pair) error {
	return e.db.Update(func(tx *buntdb.Tx) error {
		for _, p := range pairs {
			if _, _, err := tx.Set(string(p.key), string(p.value), nil); err != nil {
				return err
			}
		}
		return nil
	})
}

func (e *buntEngine) Get(key []byte) (v []byte, err error) {
	err = e.db.View(func(tx *buntdb.Tx) error {
		s, err := tx.Get(string(key))
		v = []byte(s)
		return err
	})
	return v, err
}

func (e *buntEngine) Read(key []byte, fn func([]byte)) error {
	return e.db.View(func(tx *buntdb.Tx) error {
		s, err := tx.Get(string(key))
		if err == nil {
			fn(bytesOf(s))
		}
		return err
	})
}

func (e *buntEngine) Scan(fn func(key, value []byte)) error {
	return e.db.View(func(tx *buntdb.Tx) error {
		return tx.Ascend("", func(k, v string) bool {
			fn(bytesOf(k), bytesOf(v))
			return true
		})
	})
}

// Sync commits a change that comes to nothing under the policy Always: buntdb
// has no other call that syncs.
func (e *buntEngine) Sync() error {
	if err := setPolicy(e.db, buntdb.Always); err != nil {
		return err
	}
	return e.db.Update(func(tx *buntdb.Tx) error {
		if _, _, err := tx.Set("\xffsync", "", nil); err != nil {
			return err
		}
		_, err := tx.Delete("\xffsync")
		return err
	})
}

func (e *buntEngine) Close() error { return e.db.Close() }

// bytesOf lends the bytes of a string, which must not be changed.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
