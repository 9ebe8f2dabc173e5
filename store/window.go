package store

import (
	"github.com/varve-db/varve/index"
	"github.com/varve-db/varve/segment"
)

// window is a stretch of a scan.
type window struct {
	s     *Snapshot
	items []item
	bytes int64 // of the records
	buf   []byte
}

// item is one object of a window.
type item struct {
	key    []byte // in the index
	loc    index.Loc
	object Object // once prepared
	err    error
}

func (w *window) add(key []byte, loc index.Loc) {
	w.items = append(w.items, item{key: key, loc: loc})
	w.bytes += loc.Size
}

func (w *window) reset() {
	w.items, w.bytes = w.items[:0], 0
}

// prepare reads and checks the records of the window.
func (w *window) prepare() {
	if int64(cap(w.buf)) < w.bytes {
		w.buf = make([]byte, w.bytes)
	}
	whole := guarded(w.copyAll)
	var rec segment.Record
	at := int64(0)
	for i := range w.items {
		it := &w.items[i]
		b := w.buf[at : at+it.loc.Size : at+it.loc.Size]
		at += it.loc.Size
		f := w.s.segs[it.loc.Slot]
		it.object.Key = it.key
		if !whole {
			it.err = f.read(b, it.loc.Offset)
		}
		if it.err == nil {
			it.err = f.parse(b, it.loc.Offset, &rec)
		}
		if it.err == nil && string(rec.Key) != string(it.key) {
			it.err = &CorruptError{File: f.path, Segment: f.ref, Offset: it.loc.Offset, Reason: "record of another key"}
		}
		if it.err != nil {
			it.fail()
			continue
		}
		it.object.set(&rec)
	}
}

// fail completes the error of an object.
func (it *item) fail() {
	if c, ok := asCorrupt(it.err); ok && c.Keys == nil {
		c.Keys = [][]byte{append([]byte(nil), it.key...)}
	}
}

// copyAll copies the records into buf, and reports whether it could: otherwise
// they are read one by one, to see which fails.
func (w *window) copyAll() bool {
	at := int64(0)
	for i := range w.items {
		loc := &w.items[i].loc
		f := w.s.segs[loc.Slot]
		s := f.src.Load()
		end := loc.Offset + loc.Size
		if s == nil || end > int64(len(s.data)) || end > f.size.Load() {
			return false
		}
		copy(w.buf[at:at+loc.Size], s.data[loc.Offset:end])
		at += loc.Size
	}
	return true
}
