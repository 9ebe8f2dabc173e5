package segment

import (
	"errors"
	"hash/crc32"
	"io"
)

// windowSize holds the head of any record: 20 + 24 + 3 × 65,535 bytes. leastFill is
// the least that a walk over heads reads at once.
const (
	windowSize = 256 << 10
	leastFill  = 4 << 10
)

// walk is the state of one walk. The window holds the file from base on.
type walk struct {
	src    io.ReaderAt
	place  ChecksumSeed
	log    bool
	depth  Depth
	off    int64 // of the next record
	end    int64
	next   uint64 // sequence number that is due, in a log
	time   int64  // newest commit time
	open   bool   // the batch of the record before goes on
	base   int64
	window []byte
	fill   int64  // how much is read at once
	value  []byte // of a record larger than the window
	rec    Record
}

func (r *Reader) newWalk(s Span) *walk {
	w := &walk{
		src: r.src, place: r.seed, log: r.Header.Kind == Log, depth: s.Depth,
		off: s.From, end: s.To, next: s.Next,
	}
	if w.off == 0 {
		w.off = r.HeaderSize
	}
	if w.end == 0 {
		w.end = r.Size
	}
	if w.next == 0 {
		w.next = r.Header.FirstSeq
	}
	w.window = make([]byte, 0, max(0, min(windowSize, w.end-w.off)))
	w.base = w.off
	w.fill = windowSize
	if w.depth == Heads {
		w.fill = leastFill
	}
	return w
}

// step reads the record at w.off and moves on.
func (w *walk) step() error {
	b, err := w.bytes(recordFixed)
	if err == nil {
		err = w.place.ParseHead(b, w.off, &w.rec)
	}
	if b != nil && errors.Is(err, ErrShort) {
		if b, err = w.head(b); err == nil {
			err = w.place.ParseHead(b, w.off, &w.rec)
		}
	}
	if err == nil && w.off+w.rec.Size > w.end {
		err = corrupt(w.off, "record of %d bytes in %d", w.rec.Size, w.end-w.off)
	}
	if err == nil {
		err = w.order()
	}
	if err == nil && (w.depth != Heads || !w.rec.Kind.Data()) {
		err = w.readValue()
	}
	if errors.Is(err, ErrShort) {
		err = corrupt(w.off, "record cut off: %d bytes", w.end-w.off)
	}
	if err == nil {
		w.off += w.rec.Size
	}
	return err
}

// head makes the window hold the whole head of the record at w.off, of which b
// is the beginning.
func (w *walk) head(b []byte) ([]byte, error) {
	for {
		n, _, err := HeadSize(b)
		if err == nil && int64(len(b)) >= n {
			return b, nil
		}
		if w.off+n > w.end {
			return nil, ErrShort
		}
		if b, err = w.bytes(int(n)); err != nil {
			return nil, err
		}
	}
}

// order proves that the record follows the one before it.
func (w *walk) order() error {
	if !w.log {
		return nil
	}
	if w.rec.Seq != w.next {
		return corrupt(w.off, "sequence number %d where %d is due", w.rec.Seq, w.next)
	}
	if w.rec.Kind.Data() {
		w.next++
	}
	if w.open && !w.rec.Kind.Data() {
		return corrupt(w.off, "%v within a batch", w.rec.Kind)
	}
	w.open = !w.rec.Commit()
	if !w.open {
		if w.rec.Time <= w.time {
			return corrupt(w.off, "commit time runs back")
		}
		w.time = w.rec.Time
	}
	return nil
}

// readValue checks the value of w.rec, and hands it out if it is asked for or
// if it is that of a control record.
func (w *walk) readValue() error {
	if w.rec.Size <= windowSize {
		base := w.base
		b, err := w.bytes(int(w.rec.Size))
		if err != nil {
			return err
		}
		if w.base != base { // the window has moved away under the head's slices
			return w.place.ParseRecord(b, w.off, &w.rec)
		}
		w.rec.Value = b[w.rec.HeadSize():w.rec.Size:w.rec.Size]
		if !w.rec.checkValue() {
			return w.rec.badValue()
		}
		return nil
	}
	// The window keeps the head; the value goes through a buffer of its own.
	if w.depth == WithValues || !w.rec.Kind.Data() {
		if int64(cap(w.value)) < w.rec.ValueSize {
			w.value = make([]byte, w.rec.ValueSize)
		}
		w.rec.Value = w.value[:w.rec.ValueSize]
		if err := readFull(w.src, w.rec.Value, w.rec.valueOffset()); err != nil {
			return err
		}
		if !w.rec.checkValue() {
			return w.rec.badValue()
		}
		return nil
	}
	return w.checkLarge()
}

// checkLarge checks a value piece by piece, without ever holding all of it. The
// window holds its first bytes, which are not read again.
func (w *walk) checkLarge() error {
	first := w.window[w.rec.valueOffset()-w.base:]
	sum := crc32.Update(w.rec.start, castagnoli, first)
	if cap(w.value) < windowSize {
		w.value = make([]byte, windowSize)
	}
	n := int64(len(first))
	for at, left := w.rec.valueOffset()+n, w.rec.ValueSize-n; left > 0; {
		b := w.value[:min(left, windowSize)]
		if err := readFull(w.src, b, at); err != nil {
			return err
		}
		sum = crc32.Update(sum, castagnoli, b)
		at, left = at+int64(len(b)), left-int64(len(b))
	}
	if sum != w.rec.valueCRC {
		return w.rec.badValue()
	}
	return nil
}

// bytes returns at least n bytes from w.off on, n at most windowSize. It says
// ErrShort where the span ends before.
func (w *walk) bytes(n int) ([]byte, error) {
	if w.off+int64(n) > w.end {
		return nil, ErrShort
	}
	at := w.off - w.base
	if at+int64(n) <= int64(len(w.window)) {
		return w.window[at:], nil
	}
	kept := 0
	if at < int64(len(w.window)) {
		kept = copy(w.window[:cap(w.window)], w.window[at:])
	}
	if w.depth == Heads { // large values are skipped, small ones are read along
		if at > int64(len(w.window)) {
			w.fill = max(w.fill/2, leastFill)
		} else {
			w.fill = min(2*w.fill, windowSize)
		}
	}
	w.base = w.off
	most := min(max(w.fill, int64(n)), w.end-w.off)
	if int64(cap(w.window)) < most {
		w.window = append(make([]byte, 0, windowSize), w.window[:kept]...)
	}
	// The rest of the window is filled as far as the file goes.
	w.window = w.window[:most]
	if err := readFull(w.src, w.window[kept:], w.base+int64(kept)); err != nil {
		w.window = w.window[:0]
		return nil, err
	}
	return w.window, nil
}
