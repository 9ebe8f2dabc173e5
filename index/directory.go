package index

import (
	"bytes"

	"github.com/google/btree"
)

const (
	degree    = 32
	maxRebase = 1024 // leaves; rebasing more of them would be felt as a pause
)

// entry leads to a leaf: it holds the keys from sep on, up to the separator of
// the next entry. The first entry has the empty separator.
type entry struct {
	prefix uint64 // of sep, by directory.prefix
	sep    []byte // owned by the directory, never changed
	leaf   *leaf
}

func entryLess(a, b entry) bool {
	if a.prefix != b.prefix {
		return a.prefix < b.prefix
	}
	return bytes.Compare(a.sep, b.sep) < 0
}

// directory finds the leaf of a key. Separators are the shortest that divide
// two leaves, and are its own bytes: inserts and deletes do not change them.
type directory struct {
	tree   *btree.BTreeG[entry]
	common []byte // what most separators begin with
	seps   int64  // bytes in separators
}

func newDirectory() directory {
	return directory{tree: btree.NewG(degree, entryLess)}
}

// prefix returns eight bytes of a key that order it among separators: those
// after the common prefix, or the lowest or highest number for a key below or
// above all keys with that prefix. This is monotone in the key for any common
// prefix, so the choice of it bears on speed alone.
func (d *directory) prefix(key []byte) uint64 {
	n := len(d.common)
	if n == 0 {
		return prefixAt(key, 0)
	}
	if len(key) >= n && bytes.Equal(key[:n], d.common) {
		return prefixAt(key, n)
	}
	if bytes.Compare(key, d.common) < 0 {
		return 0
	}
	return ^uint64(0)
}

// find returns the entry of the leaf that key belongs in.
func (d *directory) find(key []byte) (e entry) {
	d.tree.DescendLessOrEqual(entry{prefix: d.prefix(key), sep: key}, func(f entry) bool {
		e = f
		return false
	})
	return e
}

// prev returns the entry before e.
func (d *directory) prev(e entry) (p entry, ok bool) {
	d.tree.DescendLessOrEqual(e, func(f entry) bool {
		if f.leaf == e.leaf {
			return true
		}
		p, ok = f, true
		return false
	})
	return p, ok
}

// next returns the entry after e.
func (d *directory) next(e entry) (p entry, ok bool) {
	d.tree.AscendGreaterOrEqual(e, func(f entry) bool {
		if f.leaf == e.leaf {
			return true
		}
		p, ok = f, true
		return false
	})
	return p, ok
}

// add adds an entry for a new leaf.
func (d *directory) add(sep []byte, f *leaf) {
	d.tree.ReplaceOrInsert(entry{prefix: d.prefix(sep), sep: sep, leaf: f})
	d.seps += int64(len(sep))
	if n := d.tree.Len(); n >= 16 && n <= maxRebase && n&(n-1) == 0 {
		d.rebase()
	}
}

// replace puts another leaf in the place of that of e.
func (d *directory) replace(e entry, f *leaf) {
	e.leaf = f
	d.tree.ReplaceOrInsert(e)
}

// remove takes an entry out.
func (d *directory) remove(e entry) {
	d.tree.Delete(e)
	d.seps -= int64(len(e.sep))
}

// clone returns a directory for a snapshot, in constant time.
func (d *directory) clone() directory {
	c := *d
	c.tree = d.tree.Clone()
	return c
}

// rebase chooses the common prefix anew.
func (d *directory) rebase() {
	all := make([]entry, 0, d.tree.Len())
	d.tree.Ascend(func(e entry) bool {
		all = append(all, e)
		return true
	})
	if !bytes.Equal(commonOf(all), d.common) {
		d.load(all)
	}
}

// commonOf returns what the separators at one and seven eighths share: a few
// outliers must not spoil the prefixes for the others.
func commonOf(all []entry) []byte {
	lo, hi := all[len(all)/8].sep, all[len(all)*7/8].sep
	return lo[:commonLen(lo, hi)]
}

// load makes the tree anew from ascending entries.
func (d *directory) load(all []entry) {
	*d = directory{tree: btree.NewG(degree, entryLess), common: commonOf(all)}
	for _, e := range all {
		e.prefix = d.prefix(e.sep)
		d.tree.ReplaceOrInsert(e)
		d.seps += int64(len(e.sep))
	}
}
