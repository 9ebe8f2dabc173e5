package index

import (
	"bytes"
	"iter"
)

// Run is a stretch of items in the order of an iteration: up to 128 of them,
// straight from a leaf. Nothing is copied; a Run and the keys that it returns
// are valid until the snapshot is closed.
type Run struct {
	leaf  *leaf
	keys  keys
	first int // item of the leaf that is item 0 of the run
	step  int // 1, or -1 in a reverse iteration
	n     int
}

// Len returns the number of items, at least 1.
func (r *Run) Len() int { return r.n }

// Key returns the key of item i, 0 <= i < Len. It must not be modified, and is
// valid until the snapshot is closed.
func (r *Run) Key(i int) []byte { return r.leaf.key(r.keys, r.first+i*r.step) }

// Loc returns the location of item i, 0 <= i < Len.
func (r *Run) Loc(i int) Loc { return r.leaf.loc(r.first + i*r.step) }

// Is reports whether key can only be that of item i, 0 <= i < Len, given that it
// is the key of an item of the index or of none. It looks at the key's first bytes
// alone if those decide, and so needs no memory but the leaf's.
func (r *Run) Is(i int, key []byte) bool {
	f := r.leaf
	at := r.first + i*r.step
	p := f.prefix[at&leafMask]
	if !bytes.HasPrefix(key, f.shared(r.keys)) || prefixAt(key, int(f.skip)) != p {
		return false
	}
	if at > 0 && f.prefix[(at-1)&leafMask] == p || at+1 < f.len() && f.prefix[(at+1)&leafMask] == p {
		return bytes.Equal(key, f.key(r.keys, at))
	}
	return true
}

// Part returns the run of items from to to-1, 0 <= from < to <= Len.
func (r *Run) Part(from, to int) Run {
	p := *r
	p.first += from * r.step
	p.n = to - from
	return p
}

// Leaves iterates over all keys with lo <= key < hi, many at a time, in
// ascending or in descending order. A nil bound does not bound. The bounds must not
// be changed while the iteration runs.
func (s *Snapshot) Leaves(lo, hi []byte, reverse bool) iter.Seq[Run] {
	return func(yield func(Run) bool) {
		if hi != nil && bytes.Compare(lo, hi) >= 0 {
			return
		}
		if reverse {
			s.descend(lo, hi, yield)
		} else {
			s.ascend(lo, hi, yield)
		}
	}
}

// Scan iterates over the same keys as Leaves, one at a time. The same holds
// for them as for [Run.Key].
func (s *Snapshot) Scan(lo, hi []byte, reverse bool) iter.Seq2[[]byte, Loc] {
	return func(yield func([]byte, Loc) bool) {
		for r := range s.Leaves(lo, hi, reverse) {
			for i := range r.Len() {
				if !yield(r.Key(i), r.Loc(i)) {
					return
				}
			}
		}
	}
}

// ascend yields the leaves from the leaf of lo on.
func (s *Snapshot) ascend(lo, hi []byte, yield func(Run) bool) {
	s.dir.ascend(s.dir.find(lo), func(e entry) bool {
		if hi != nil && e.sep() >= string(hi) {
			return false
		}
		r := s.cut(e.leaf, lo, hi)
		return r.n == 0 || yield(r)
	})
}

// descend yields the leaves from the leaf of hi down to the leaf of lo.
func (s *Snapshot) descend(lo, hi []byte, yield func(Run) bool) {
	visit := func(e entry) bool {
		r := s.cut(e.leaf, lo, hi)
		if r.n > 0 {
			r.first, r.step = r.first+r.n-1, -1
			if !yield(r) {
				return false
			}
		}
		return e.sep() > string(lo)
	}
	if hi == nil {
		s.dir.descend(s.dir.last(), visit)
	} else {
		s.dir.descend(s.dir.find(hi), visit)
	}
}

// cut returns the items of a leaf with lo <= key < hi, ascending.
func (s *Snapshot) cut(f *leaf, lo, hi []byte) Run {
	from, to := 0, f.len()
	if to > 0 && len(lo) > 0 && bytes.Compare(f.key(s.keys, 0), lo) < 0 {
		from = f.seek(s.keys, lo)
	}
	if to > 0 && hi != nil && bytes.Compare(f.key(s.keys, to-1), hi) >= 0 {
		to = f.seek(s.keys, hi)
	}
	return Run{leaf: f, keys: s.keys, first: from, step: 1, n: max(to-from, 0)}
}
