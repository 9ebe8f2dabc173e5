package index

import "github.com/google/btree"

// writable returns p if no open snapshot can see it, or else a copy of it that
// takes its place in the tree.
func (d *directory) writable(p *page) *page {
	if !d.snaps.see(p.epoch) {
		return p
	}
	c := new(page)
	*c = *p
	c.epoch = d.snaps.epoch
	d.put(c)
	d.snaps.retain(pageBytes)
	return c
}

// replace replaces the leaf of e by another, and returns where it is.
func (d *directory) replace(e entry, f *leaf) entry {
	p := d.writable(e.page)
	p.leaf[e.i] = f
	return p.at(e.i)
}

// add adds an entry for a new leaf.
func (d *directory) add(sep string, f *leaf) {
	e := d.find([]byte(sep))
	p := d.writable(e.page)
	if p.n < pageCap {
		p.insert(e.i+1, sep, f)
	} else {
		d.split(p, e.i+1, sep, f)
	}
	d.seps += int64(len(sep))
}

// split divides a full page in two, with a new entry at i. Where leaves come
// in a row at an end of it, it divides there, so that pages stay full; else in
// the middle.
func (d *directory) split(p *page, i int, sep string, f *leaf) {
	right := d.newPage()
	at, toLeft := pageCap/2, i <= pageCap/2
	if i == pageCap || i == 1 { // at 1, since the leaf that was divided stays before it
		at = i
	}
	right.join(p, at)
	p.truncate(at)
	if toLeft {
		p.insert(i, sep, f)
	} else {
		right.insert(i-at, sep, f)
	}
	p.rebase()
	right.rebase()
	d.put(right)
	if n := d.tree.Len(); n <= maxRebase && n&(n-1) == 0 {
		d.rebase()
	}
}

// remove takes the entry with that separator out, which is not the first. The
// keys from it on then belong to the entry before.
func (d *directory) remove(sep string) {
	d.seps -= int64(len(sep))
	e := d.find([]byte(sep))
	p := d.writable(e.page)
	if e.i > 0 {
		p.remove(e.i)
	} else {
		d.drop(p)
		p.remove(0)
		if p.n == 0 {
			d.pages--
			return
		}
		d.put(p)
	}
	if p.n <= pageMerge {
		d.merge(p)
	}
}

// merge makes one page of p and a neighbor, if they fit well into one.
func (d *directory) merge(p *page) {
	const most = pageCap * 3 / 4
	if r, ok := d.next(p.at(p.n - 1)); ok && p.n+r.page.n <= most {
		d.join(p, r.page)
	} else if l, ok := d.prev(p.at(0)); ok && p.n+l.page.n <= most {
		d.join(d.writable(l.page), p)
	}
}

// join appends the entries of r to those of l, which must be writable.
func (d *directory) join(l, r *page) {
	d.drop(r)
	d.pages--
	l.join(r, 0)
}

// rebase chooses the base anew.
func (d *directory) rebase() {
	all := make([]top, 0, d.tree.Len())
	d.tree.Ascend(func(t top) bool {
		all = append(all, t)
		return true
	})
	b := commonOf(len(all), func(i int) string { return all[i].sep })
	if b == d.base {
		return
	}
	d.base = b
	d.tree = btree.NewG(degree, topLess)
	for _, t := range all {
		d.tree.ReplaceOrInsert(d.top(t.page))
	}
	d.flatten()
}
