package index

// maxFlat bounds the pages of a flat directory: each change of a page's place
// makes it anew. 512 pages are of some 6 M keys.
const maxFlat = 512

// flat is what the tree of a directory leads to as two arrays, while there are few
// pages: the tree takes four times as long to find one, which was a twentieth of
// a get or put. It is replaced when the tree changes, and never changed,
// so that a snapshot keeps its own.
type flat struct {
	prefix []uint64 // of the first separator of each page, by directory.base
	page   []*page
}

// flatten makes the flat directory anew.
func (d *directory) flatten() {
	d.flat = flat{}
	n := d.tree.Len()
	if n > maxFlat {
		return
	}
	d.flat = flat{make([]uint64, 0, n), make([]*page, 0, n)}
	d.tree.Ascend(func(t top) bool {
		d.flat.prefix = append(d.flat.prefix, t.prefix)
		d.flat.page = append(d.flat.page, t.page)
		return true
	})
}

// find returns the page for a key with the prefix x, or nil where only the
// tree can tell: prefixes that are equal do not say which is lower.
func (f *flat) find(x uint64) *page {
	if len(f.prefix) == 0 || x == ^uint64(0) {
		return nil
	}
	i := lowerBound(f.prefix, x+1) - 1
	if i < 0 || f.prefix[i] == x {
		return nil
	}
	return f.page[i]
}

// put makes the tree lead to p.
func (d *directory) put(p *page) {
	d.tree.ReplaceOrInsert(d.top(p))
	d.flatten()
}

// drop makes the tree lead to p no more.
func (d *directory) drop(p *page) {
	d.tree.Delete(d.top(p))
	d.flatten()
}
