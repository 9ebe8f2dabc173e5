package integrity

import (
	"errors"
	"io"

	"github.com/varve-db/varve/segment"
)

// gap is what a walk passes over: bytes that are no sound record or, where it has no bytes,
// sequence numbers that no record has.
type gap struct {
	from, to int64
	first    uint64          // the sequence number that was due; of a log
	next     uint64          // the one that is due after it; zero: no sound record follows
	head     *segment.Record // the record, if its head is sound and its value is not; else nil
	reason   string
}

// damagedWalk walks the records of a segment past damage, up to an offset or an End
// record. It is the only code that does. It checks values, too, calls rec with each sound
// record, in order, and gap with what lies between them. A record is the walk's and good
// for one call. Both functions may be nil; an error that one returns ends the walk.
type damagedWalk struct {
	r   *segment.Reader
	src io.ReaderAt // what r reads
	to  int64
	rec func(*segment.Record) error
	gap func(gap) error

	from    int64
	next    uint64
	stretch int64
	ended   bool // by an End record
}

// leastStretch is how much is read at once where damage is near, so that a file
// full of it is not read many times over.
const leastStretch = 4 << 10

// run returns the error of reading, or of a callback.
func (w *damagedWalk) run() error {
	w.from, w.next, w.stretch = w.r.HeaderSize, w.r.Header.FirstSeq, w.to
	for w.from < w.to && !w.ended {
		at := w.from
		err := w.records(min(w.to, w.from+w.stretch))
		c, ok := segment.AsCorrupt(err)
		if ok {
			err = w.past(c)
		}
		if stopped, ok := err.(errStopped); ok {
			return stopped.error
		}
		if err != nil {
			return err
		}
		if c == nil || w.from == at {
			w.stretch = min(2*w.stretch, max(w.to, leastStretch))
		}
	}
	return nil
}

// records yields the records up to the first that does not check.
func (w *damagedWalk) records(to int64) error {
	s := segment.Span{From: w.from, To: to, Next: w.next, Depth: segment.CheckValues}
	for rec, err := range w.r.Records(s) {
		if err != nil {
			return err
		}
		if err := w.sound(rec); err != nil {
			return err
		}
	}
	return nil
}

// errStopped keeps a callback's error apart from those of the segment.
type errStopped struct{ error }

func (e errStopped) Unwrap() error { return nil }

func (w *damagedWalk) sound(rec *segment.Record) error {
	w.behind(rec)
	w.ended = rec.Kind == segment.End
	if w.rec != nil {
		if err := w.rec(rec); err != nil {
			return errStopped{err}
		}
	}
	return nil
}

func (w *damagedWalk) behind(rec *segment.Record) {
	w.from, w.next = rec.Offset+rec.Size, rec.Seq
	if rec.Kind.Data() {
		w.next++
	}
}

func (w *damagedWalk) report(g gap) error {
	if w.gap == nil || g.from == g.to && g.first == g.next {
		return nil
	}
	if err := w.gap(g); err != nil {
		return errStopped{err}
	}
	return nil
}

// past goes on behind what does not check at w.from, or asks for a longer stretch by
// leaving w.from where it is.
func (w *damagedWalk) past(c *segment.CorruptError) error {
	end := min(w.to, w.from+w.stretch)
	head, err := headAt(w.r, w.src, w.from, w.to)
	if err != nil {
		return err
	}
	log := w.r.Header.Kind == segment.Log
	if head != nil && (!log || head.Seq >= w.next) {
		if w.from+head.Size > end && w.from+head.Size <= w.to {
			w.stretch = max(w.stretch, head.Size)
			return nil
		}
		if w.from+head.Size <= w.to {
			return w.pastRecord(head, c)
		}
	}
	at, seq, found, err := w.r.Find(w.from+1, end, w.next)
	if err != nil {
		return err
	}
	if !found && end < w.to {
		return nil
	}
	g := gap{from: w.from, to: at, first: w.next, next: seq, reason: c.Reason}
	if !found {
		g.to, g.next = w.to, 0
	} else if log && seq < w.next { // a record of a number that was given before
		g.next = w.next
	}
	w.from, w.stretch = g.to, leastStretch
	if found && seq > w.next || !log {
		w.next = seq
	}
	return w.report(g)
}

// pastRecord goes behind a record of which the head is sound.
func (w *damagedWalk) pastRecord(head *segment.Record, c *segment.CorruptError) error {
	if w.r.Header.Kind == segment.Log && head.Seq > w.next {
		g := gap{from: w.from, to: w.from, first: w.next, next: head.Seq, reason: c.Reason}
		if err := w.report(g); err != nil {
			return err
		}
	}
	w.next, w.stretch = head.Seq, leastStretch
	s := segment.Span{From: w.from, To: w.from + head.Size, Next: head.Seq, Depth: segment.CheckValues}
	for rec, err := range w.r.Records(s) {
		if err == nil {
			return w.sound(rec) // it is its place among the others that does not fit
		}
		e, ok := segment.AsCorrupt(err)
		if !ok {
			return err
		}
		c = e
	}
	g := gap{from: w.from, to: w.from + head.Size, first: w.next, head: head, reason: c.Reason}
	w.behind(head)
	g.next = w.next
	return w.report(g)
}

// headAt returns the record of r at an offset, without its value, if its first checksum holds
// and it is there before end, else nil.
func headAt(r *segment.Reader, src io.ReaderAt, off, end int64) (*segment.Record, error) {
	n := int64(leastStretch) // nearly all are small
	for {
		b := make([]byte, min(n, end-off))
		if m, err := src.ReadAt(b, off); m < len(b) {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		rec, place := new(segment.Record), r.Place()
		err := place.ParseHead(b, off, rec)
		if err == nil {
			return rec, nil
		}
		size, _, sizeErr := segment.HeadSize(b)
		if !errors.Is(err, segment.ErrShort) || sizeErr != nil || size <= n || size > end-off {
			return nil, nil
		}
		n = size
	}
}
