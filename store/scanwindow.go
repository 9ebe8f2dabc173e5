package store

import (
	"github.com/varve-db/varve/index"
	"github.com/varve-db/varve/segment"
)

// Limits of a window.
const (
	firstItems  = 16        // objects in the first window; each is twice the one before, so that
	windowItems = 512       // a scan that ends early has not read much for nothing, up to this
	windowBytes = 256 << 10 // most bytes, but for a single object
)

// window is a stretch of a scan. It lives in two steps: it is filled from the
// index, and then its records are read and checked, by any goroutine.
type window struct {
	s     *Snapshot
	runs  []index.Run
	n     int   // objects in runs
	bytes int64 // of their records
	buf   []byte
	items []item // once prepared
}

// item is one object of a window, or why it cannot be read.
type item struct {
	object Object
	err    error
}

// add takes the first items of a run, as many as there is room for, at most most,
// and reports how many.
func (w *window) add(r index.Run, most int) int {
	n := 0
	for n < min(r.Len(), most) {
		size := r.Loc(n).Size
		if w.n > 0 && w.bytes+size > windowBytes {
			break
		}
		w.bytes += size
		w.n++
		n++
	}
	if n > 0 {
		w.runs = append(w.runs, r.Part(0, n))
	}
	return n
}

func (w *window) reset() {
	w.runs, w.items, w.n, w.bytes = w.runs[:0], w.items[:0], 0, 0
}

// prepare reads and checks the records of the window.
func (w *window) prepare() {
	if int64(cap(w.buf)) < w.bytes {
		w.buf = make([]byte, w.bytes)
	}
	if cap(w.items) < w.n {
		w.items = make([]item, 0, w.n)
	}
	whole := guarded(w.copyAll)
	w.items = w.items[:w.n]
	items, buf := w.items, w.buf[:w.bytes]
	for j := range w.runs {
		r := &w.runs[j]
		for i := range r.Len() {
			loc := r.Loc(i)
			w.parse(&items[i], r, i, loc, buf[:loc.Size:loc.Size], whole)
			buf = buf[loc.Size:]
		}
		items = items[r.Len():]
	}
}

// parse makes it the object of a record, which is in b if it was copied.
func (w *window) parse(it *item, r *index.Run, i int, loc index.Loc, b []byte, copied bool) {
	var rec segment.Record
	f := w.s.segs[loc.Slot]
	it.err = nil
	if !copied {
		it.err = f.read(b, loc.Offset)
	}
	if it.err == nil {
		it.err = f.parse(b, loc.Offset, &rec)
	}
	if it.err == nil && !r.Is(i, rec.Key) {
		it.err = &CorruptError{File: f.path, Segment: f.ref, Offset: loc.Offset, Reason: "record of another key"}
	}
	if it.err != nil {
		it.fail(r.Key(i))
		return
	}
	it.object = rec.Object()
}

// fail completes the error of the object under key.
func (it *item) fail(key []byte) {
	it.object = Object{Key: key}
	if c, ok := segment.AsCorrupt(it.err); ok && c.Keys == nil {
		c.Keys = [][]byte{append([]byte(nil), key...)}
	}
}

// copyAll copies the records into buf, and reports whether it could: otherwise
// they are read one by one, to see which fails.
func (w *window) copyAll() bool {
	at := int64(0)
	for j := range w.runs {
		r := &w.runs[j]
		for i := range r.Len() {
			loc := r.Loc(i)
			f := w.s.segs[loc.Slot]
			s := f.src.Load()
			end := loc.Offset + loc.Size
			if s == nil || end > int64(len(s.data)) || end > f.size.Load() {
				return false
			}
			copy(w.buf[at:at+loc.Size], s.data[loc.Offset:end])
			at += loc.Size
		}
	}
	return true
}
