package salvage

import "github.com/varve-db/varve/index"

// state is what is known of a version of a key.
type state uint8

const (
	saved   state = iota // a put that can be read
	deleted              // a delete
	lost                 // a put that cannot
)

// version is one version of a key.
type version struct {
	seq  uint64
	off  int64
	size int64
	file int32 // in salvage.files
	state
}

// versions keeps the newest version of each key, and where that is lost, the newest
// one before it. It takes memory for each key, not for each record.
type versions struct {
	idx   *index.Index // key → place in list
	list  []version
	older map[int64]version // of lost ones, by place
}

func newVersions() *versions {
	return &versions{idx: index.New(), older: map[int64]version{}}
}

// add notes a version. If two files have the same version, the one that can be read is kept.
func (vs *versions) add(key []byte, v version) {
	l, ok := vs.idx.Get(key)
	if !ok {
		vs.idx.Put(key, index.Loc{Offset: int64(len(vs.list)), Size: 1})
		vs.list = append(vs.list, v)
		return
	}
	i := l.Offset
	cur := &vs.list[i]
	switch {
	case v.seq == cur.seq:
		if cur.state == lost && v.state != lost {
			*cur = v
			delete(vs.older, i)
		}
	case v.seq < cur.seq:
		if o, ok := vs.older[i]; cur.state == lost && v.state != lost && (!ok || o.seq < v.seq) {
			vs.older[i] = v
		}
	default:
		if v.state != lost {
			delete(vs.older, i)
		} else if cur.state != lost {
			vs.older[i] = *cur
		}
		*cur = v
	}
}

// newestIs reports whether the newest version of a key is lost and has the number seq. It returns the
// version before it, if one can be read.
func (vs *versions) newestIs(key []byte, seq uint64) (older *version, yes bool) {
	l, ok := vs.idx.Get(key)
	if !ok || vs.list[l.Offset].state != lost || vs.list[l.Offset].seq != seq {
		return nil, false
	}
	if o, ok := vs.older[l.Offset]; ok && o.state == saved {
		return &o, true
	}
	return nil, true
}
