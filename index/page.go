package index

const (
	pageCap   = 254         // entries; so many fill the size class
	pageBytes = 8192        // the size class that a page is allocated in
	pageMerge = pageCap / 4 // entries; a page with no more looks for a neighbor
)

// page is a sorted run of entries of the directory. An entry is a separator
// and the leaf with the keys from it on, up to the separator of the next.
type page struct {
	epoch  uint64 // when it was made; see directory.writable
	n      int
	base   base            // of the separators
	prefix [pageCap]uint64 // of each separator, by base
	leaf   [pageCap]*leaf
	sep    [pageCap]string // in memory of its own
}

// find returns the last entry whose separator is not above key: the entry of the
// leaf that key belongs in. The first separator must not be above key.
func (p *page) find(key []byte) int {
	x := p.base.prefix(key)
	i := p.n - 1
	if x != ^uint64(0) {
		i = lowerBound(p.prefix[:p.n], x+1) - 1
	}
	if i > 0 && p.prefix[i] == x && p.sep[i] > string(key) {
		return p.search(key, x, i)
	}
	return i
}

// search is find where the separators before end and at it have the prefix x,
// and that at end is above key.
func (p *page) search(key []byte, x uint64, end int) int {
	i := lowerBound(p.prefix[:end], x)
	for i < end {
		if mid := int(uint(i+end) >> 1); p.sep[mid] > string(key) {
			end = mid
		} else {
			i = mid + 1
		}
	}
	return i - 1
}

// insert puts an entry at i. There must be room.
func (p *page) insert(i int, sep string, f *leaf) {
	copy(p.prefix[i+1:p.n+1], p.prefix[i:p.n])
	copy(p.leaf[i+1:p.n+1], p.leaf[i:p.n])
	copy(p.sep[i+1:p.n+1], p.sep[i:p.n])
	p.prefix[i], p.leaf[i], p.sep[i] = p.base.prefix([]byte(sep)), f, sep
	p.n++
	if p.n&(p.n-1) == 0 {
		p.rebase()
	}
}

// remove takes entry i out.
func (p *page) remove(i int) {
	copy(p.prefix[i:p.n-1], p.prefix[i+1:p.n])
	copy(p.leaf[i:p.n-1], p.leaf[i+1:p.n])
	copy(p.sep[i:p.n-1], p.sep[i+1:p.n])
	p.truncate(p.n - 1)
}

// truncate takes the entries from n on out.
func (p *page) truncate(n int) {
	clear(p.leaf[n:p.n])
	clear(p.sep[n:p.n])
	p.n = n
}

// join appends the entries of o from at on, which follow those of p.
func (p *page) join(o *page, at int) {
	copy(p.leaf[p.n:], o.leaf[at:o.n])
	copy(p.sep[p.n:], o.sep[at:o.n])
	p.n += o.n - at
	p.fill()
}

// rebase chooses the base anew.
func (p *page) rebase() {
	if b := commonOf(p.n, func(i int) string { return p.sep[i] }); b != p.base {
		p.fill()
	}
}

// fill chooses the base, and computes all prefixes by it.
func (p *page) fill() {
	p.base = commonOf(p.n, func(i int) string { return p.sep[i] })
	for i, s := range p.sep[:p.n] {
		p.prefix[i] = p.base.prefix([]byte(s))
	}
}
