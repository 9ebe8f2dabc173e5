package inplace

import (
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"iter"
	"slices"

	"github.com/varve-db/varve/archiver/internal/parallel"
	"github.com/varve-db/varve/segment"
)

// Scan iterates over the objects of a range. Each object is the caller's; with KeysOnly, Seq is
// set, too. In reverse, all keys of the range are held in memory first. An object
// that is damaged is yielded as an error with its key in the Object, and the scan
// goes on; any other error ends it, with a zero Object.
func (r *Reader) Scan(rg segment.Range) iter.Seq2[segment.Object, error] {
	return func(yield func(segment.Object, error) bool) {
		s := &scan{r: r, rg: rg, room: 16, left: rg.Limit, yield: yield}
		if rg.Limit <= 0 {
			s.left = int(^uint(0) >> 1)
		}
		if err := s.run(); err != nil {
			yield(segment.Object{}, err)
		}
	}
}

// item is an object that a scan has come to.
type item struct {
	key       []byte
	seq       uint64
	in        *remote
	off, size int64
	object    segment.Object
	err       error
}

// scan is the state of one scan. Objects are fetched window by window, neighbors in a
// segment with one request.
type scan struct {
	r     *Reader
	rg    segment.Range
	win   []item
	bytes int64
	room  int // items that a window takes: few to begin with
	left  int // that may still be visited
	yield func(segment.Object, error) bool
	ended bool
}

const (
	maxWindow   = 1024
	windowBytes = 8 << 20
	maxGap      = 64 << 10 // a gap of up to so many bytes is read too, which costs less than another request
	maxRead     = 4 << 20
)

func (s *scan) run() error {
	lo, hi := s.rg.Bounds()
	m, err := s.r.merge(lo, hi)
	if err != nil {
		return err
	}
	var all []item
	for {
		it, ok, err := m.next()
		if err != nil {
			return err
		}
		if !ok || hi != nil && bytes.Compare(it.key, hi) >= 0 {
			break
		}
		if s.rg.Reverse {
			all = append(all, it)
			continue
		}
		if err := s.add(it); err != nil || s.ended || s.left == 0 {
			return err
		}
	}
	for _, it := range slices.Backward(all) {
		if err := s.add(it); err != nil || s.ended || s.left == 0 {
			return err
		}
	}
	return s.flush()
}

// add puts an item into the window, and yields the window when it is full.
func (s *scan) add(it item) error {
	s.win = append(s.win, it)
	s.bytes += it.size
	s.left--
	if len(s.win) < s.room && s.bytes < windowBytes && s.left > 0 {
		return nil
	}
	return s.flush()
}

// flush fetches the objects of the window and yields them.
func (s *scan) flush() error {
	if !s.rg.KeysOnly {
		if err := s.fetch(); err != nil {
			return err
		}
	}
	for i := range s.win {
		it := &s.win[i]
		if s.rg.KeysOnly || it.err != nil {
			it.object = segment.Object{Key: it.key, Seq: it.seq}
		}
		if !s.yield(it.object, it.err) {
			s.ended = true
			return nil
		}
	}
	s.win, s.bytes, s.room = s.win[:0], 0, min(2*s.room, maxWindow)
	return nil
}

// fetch reads the records of the window.
func (s *scan) fetch() error {
	by := make([]*item, len(s.win))
	for i := range s.win {
		by[i] = &s.win[i]
	}
	slices.SortFunc(by, func(a, b *item) int {
		return cmp.Or(a.in.Ref.Compare(b.in.Ref), cmp.Compare(a.off, b.off))
	})
	var runs [][]*item
	for i, it := range by {
		if i > 0 {
			run := runs[len(runs)-1]
			last := run[len(run)-1]
			if last.in == it.in && it.off-(last.off+last.size) <= maxGap && it.off+it.size-run[0].off <= maxRead {
				runs[len(runs)-1] = append(run, it)
				continue
			}
		}
		runs = append(runs, []*item{it})
	}
	return parallel.Each(s.r.ctx, parallel.Looks, len(runs), func(_ context.Context, i int) error { return fetchRun(runs[i]) })
}

// fetchRun reads records that lie close to each other.
func fetchRun(run []*item) error {
	first, last := run[0], run[len(run)-1]
	b := make([]byte, last.off+last.size-first.off)
	if n, err := first.in.src.ReadAt(b, first.off); n < len(b) {
		return first.in.damaged(err)
	}
	for _, it := range run {
		at := it.off - first.off
		it.object, it.err = it.in.parse(b[at:at+it.size:at+it.size], it.key, it.seq, it.off)
	}
	return nil
}

// merger goes over the tables of all segments in order of key.
type merger struct{ heads []*head }

// head is where a merger stands in one table.
type head struct {
	in *remote
	c  *segment.Cursor
}

// next moves to the next entry that counts.
func (h *head) next() (bool, error) {
	for h.c.Next() {
		if h.c.Entry.Seq <= h.in.limit {
			return true, nil
		}
	}
	return false, h.in.damaged(h.c.Err())
}

func (m *merger) Len() int      { return len(m.heads) }
func (m *merger) Swap(i, j int) { m.heads[i], m.heads[j] = m.heads[j], m.heads[i] }
func (m *merger) Push(x any)    { m.heads = append(m.heads, x.(*head)) }

// Pop takes the last head away.
func (m *merger) Pop() any {
	x := m.heads[len(m.heads)-1]
	m.heads = m.heads[:len(m.heads)-1]
	return x
}

// Less orders by key, and the newest version of a key first.
func (m *merger) Less(i, j int) bool {
	a, b := &m.heads[i].c.Entry, &m.heads[j].c.Entry
	return cmp.Or(bytes.Compare(a.Key, b.Key), cmp.Compare(b.Seq, a.Seq)) < 0
}

// merge opens the tables that may have keys of [from, to), each from the first key on; a
// nil to is no bound.
func (r *Reader) merge(from, to []byte) (*merger, error) {
	heads := make([]*head, len(r.segs))
	err := parallel.Each(r.ctx, parallel.Looks, len(r.segs), func(_ context.Context, i int) error {
		s := r.segs[i]
		f, err := s.table(from, to)
		if f == nil {
			return err
		}
		h := &head{s, f.CursorAt(from)}
		ok, err := h.next()
		if ok {
			heads[i] = h
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	m := &merger{slices.DeleteFunc(heads, func(h *head) bool { return h == nil })}
	heap.Init(m)
	return m, nil
}

// next returns the next object: the newest version of the next key that was not
// deleted.
func (m *merger) next() (it item, ok bool, err error) {
	for len(m.heads) > 0 {
		h := m.heads[0]
		e := &h.c.Entry
		put := e.Kind == segment.Put
		it = item{key: bytes.Clone(e.Key), seq: e.Seq, in: h.in, off: e.Offset, size: e.Size}
		for len(m.heads) > 0 && bytes.Equal(m.heads[0].c.Entry.Key, it.key) {
			more, err := m.heads[0].next()
			if err != nil {
				return it, false, err
			}
			if more {
				heap.Fix(m, 0)
			} else {
				heap.Pop(m)
			}
		}
		if put {
			return it, true, nil
		}
	}
	return it, false, nil
}
