package index

import (
	"unsafe"

	"github.com/google/btree"
)

const (
	degree    = 64   // of the tree: a node holds at most twice as many pages
	maxRebase = 1024 // pages; rebasing more of them would be felt as a pause
)

// directory finds the leaf of a key. Separators are the shortest that divide
// two leaves, and are its own bytes: inserts and deletes do not change them.
// They stand in pages, and a tree of pages is all that a snapshot must clone.
type directory struct {
	tree  *btree.BTreeG[top]
	flat  flat // what the tree leads to, where there are few pages
	base  base // of the separators that pages begin with
	pages int
	seps  int64      // bytes in separators
	snaps *snapshots // who may see a page
}

// top leads to a page.
type top struct {
	prefix uint64 // of sep, by directory.base
	sep    string // the first of the page
	page   *page
}

func topLess(a, b top) bool {
	if a.prefix != b.prefix {
		return a.prefix < b.prefix
	}
	return a.sep < b.sep
}

// entry is a place in the directory, until the directory is changed.
type entry struct {
	leaf *leaf
	page *page
	i    int
}

// at returns the entry i of a page.
func (p *page) at(i int) entry { return entry{p.leaf[i], p, i} }

// sep returns the separator of e: no key of its leaf is below.
func (e entry) sep() string { return e.page.sep[e.i] }

// top returns what leads to a page.
func (d *directory) top(p *page) top {
	return top{d.base.prefix([]byte(p.sep[0])), p.sep[0], p}
}

// newDirectory returns a directory of one leaf.
func newDirectory(s *snapshots, f *leaf) directory {
	d := directory{tree: btree.NewG(degree, topLess), snaps: s}
	p := d.newPage()
	p.insert(0, "", f)
	d.put(p)
	return d
}

// newPage returns an empty page that no snapshot knows.
func (d *directory) newPage() *page {
	d.pages++
	return &page{epoch: d.snaps.epoch}
}

// find returns the entry of the leaf that key belongs in.
func (d *directory) find(key []byte) entry {
	x := d.base.prefix(key)
	p := d.flat.find(x)
	if p == nil {
		p = d.search(x, key)
	}
	return p.at(p.find(key))
}

// search finds the page of a key with the prefix x in the tree.
func (d *directory) search(x uint64, key []byte) (p *page) {
	// The tree keeps no hold on what it is asked for, so key need not be copied.
	ask := top{prefix: x, sep: unsafe.String(unsafe.SliceData(key), len(key))}
	d.tree.DescendLessOrEqual(ask, func(t top) bool {
		p = t.page
		return false
	})
	return p
}

// prev returns the entry before e.
func (d *directory) prev(e entry) (p entry, ok bool) {
	if e.i > 0 {
		return e.page.at(e.i - 1), true
	}
	d.tree.DescendLessOrEqual(d.top(e.page), func(t top) bool {
		if t.page == e.page {
			return true
		}
		p, ok = t.page.at(t.page.n-1), true
		return false
	})
	return p, ok
}

// next returns the entry after e.
func (d *directory) next(e entry) (p entry, ok bool) {
	if e.i+1 < e.page.n {
		return e.page.at(e.i + 1), true
	}
	d.tree.AscendGreaterOrEqual(d.top(e.page), func(t top) bool {
		if t.page == e.page {
			return true
		}
		p, ok = t.page.at(0), true
		return false
	})
	return p, ok
}

// ascend visits the entries from e on, until visit returns false.
func (d *directory) ascend(e entry, visit func(entry) bool) {
	d.tree.AscendGreaterOrEqual(d.top(e.page), func(t top) bool {
		for i := e.i; i < t.page.n; i++ {
			if !visit(t.page.at(i)) {
				return false
			}
		}
		e.i = 0
		return true
	})
}

// descend visits the entries from e down, until visit returns false.
func (d *directory) descend(e entry, visit func(entry) bool) {
	d.tree.DescendLessOrEqual(d.top(e.page), func(t top) bool {
		i := t.page.n - 1
		if t.page == e.page {
			i = e.i
		}
		for ; i >= 0; i-- {
			if !visit(t.page.at(i)) {
				return false
			}
		}
		return true
	})
}

// last returns the last entry.
func (d *directory) last() entry {
	t, _ := d.tree.Max()
	return t.page.at(t.page.n - 1)
}

// clone returns a directory for a snapshot, in constant time.
func (d *directory) clone() directory {
	c := *d
	c.tree = d.tree.Clone()
	return c
}
