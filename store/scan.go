package store

import "github.com/varve-db/varve/index"

// A scan goes window by window: it copies the records of a window, whose
// cache misses then overlap, checks them, and lends them one after the other. A
// long one has two goroutines at it: see readahead.

// scan is the state of one scan.
type scan struct {
	s     *Snapshot
	left  int  // how many objects may still be gathered
	bare  bool // keys are wanted, and records read only to know that they are the newest
	yield func(Object, error) bool
	w     *window    // being filled
	room  int        // objects that it takes
	ended bool       // the caller wants no more
	ahead *readahead // once the scan turned out to be a long one
}

func (s *Snapshot) scan(r *Range, yield func(Object, error) bool) {
	if s.closed.Load() {
		yield(Object{}, ErrClosed)
		return
	}
	lo, hi := r.Bounds()
	sc := scan{s: s, left: r.Limit, bare: r.KeysOnly, yield: yield, w: &window{s: s}, room: firstItems}
	if r.Limit <= 0 {
		sc.left = int(^uint(0) >> 1)
	}
	if r.KeysOnly && s.doubts == nil {
		s.idx.Leaves(lo, hi, r.Reverse)(sc.keys)
		return
	}
	defer sc.stop()
	s.idx.Leaves(lo, hi, r.Reverse)(sc.gather)
	if !sc.ended && sc.flush() && sc.drain() && s.doubts != nil {
		yield(Object{}, s.doubts.missed())
	}
}

// keys visits a run without its records.
func (sc *scan) keys(r index.Run) bool {
	for i := range r.Len() {
		if sc.left--; !sc.yield(Object{Key: r.Key(i)}, nil) || sc.left == 0 {
			return false
		}
	}
	return true
}

// gather puts a run into windows, and sees to those that are full.
func (sc *scan) gather(r index.Run) bool {
	for {
		n := sc.w.add(r, min(sc.room-sc.w.n, sc.left))
		if sc.left -= n; sc.left == 0 {
			return false
		}
		if n == r.Len() {
			return true
		}
		if !sc.flush() {
			return false
		}
		r = r.Part(n, r.Len())
	}
}

// flush sees to the window that is full, or is the last, and begins another. It
// reports whether the scan goes on.
func (sc *scan) flush() bool {
	if sc.goAhead() {
		return sc.queue()
	}
	sc.room = min(2*sc.room, windowItems)
	if !sc.drain() {
		return false
	}
	sc.w.prepare()
	if !sc.lend(sc.w) {
		return false
	}
	sc.w.reset()
	return true
}

// goAhead reports whether the helper takes part. It does not for the beginning, nor
// for an object that fills a window by itself: of these, one at a time is in memory.
func (sc *scan) goAhead() bool {
	if sc.room < windowItems || sc.w.n < 2 {
		return false
	}
	if sc.ahead == nil {
		sc.ahead = newReadahead()
	}
	return sc.ahead != nil
}

// stop ends the helper, wherever the scan was left.
func (sc *scan) stop() {
	if sc.ahead != nil {
		sc.ahead.stop()
	}
}

// lend lends the objects of a window. It reports whether the scan goes on.
func (sc *scan) lend(w *window) bool {
	for i := range w.items {
		it := &w.items[i]
		if sc.bare {
			it.object = Object{Key: it.object.Key}
		}
		if !sc.yield(it.object, it.err) {
			sc.ended = true
			return false
		}
	}
	return true
}
