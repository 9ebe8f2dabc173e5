package walk

import (
	"errors"
	"io"

	"github.com/varve-db/varve/segment"
)

// Gap is what a walk passes over: bytes that are no sound record or, where it has no bytes,
// sequence numbers that no record has.
type Gap struct {
	From, To int64
	First    uint64          // the sequence number that was due; of a log
	Next     uint64          // the one that is due after it; zero: no sound record follows
	Head     *segment.Record // the record, if its head is sound and its value is not; else nil
	Reason   string
}

// Walk goes over the records of a segment past damage, up to the offset To or an End record.
// Values are checked, too. Rec is called with each sound record, in order, and Gap with what
// lies between two of them. A record is good for one call. Both functions may be nil. If one
// returns an error, the walk ends.
type Walk struct {
	R   *segment.Reader
	Src io.ReaderAt // what R reads
	To  int64
	Rec func(*segment.Record) error
	Gap func(Gap) error

	// What Run found: how far it came, the sequence number that is due there, and
	// whether an End record ended it.
	From  int64
	Next  uint64
	Ended bool

	stretch int64 // how much is read at once
}

// leastStretch is how much is read at once near damage, so that a file full of damage is not read
// many times over.
const leastStretch = 4 << 10

// Run does the walk. The error is one of reading, or of Rec or Gap.
func (w *Walk) Run() error {
	w.From, w.Next, w.stretch = w.R.HeaderSize, w.R.Header.FirstSeq, w.To
	for w.From < w.To && !w.Ended {
		at := w.From
		err := w.records(min(w.To, w.From+w.stretch))
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
		if c == nil || w.From == at {
			w.stretch = min(2*w.stretch, max(w.To, leastStretch))
		}
	}
	return nil
}

// records yields the records up to the first that does not check.
func (w *Walk) records(to int64) error {
	s := segment.Span{From: w.From, To: to, Next: w.Next, Depth: segment.CheckValues}
	for rec, err := range w.R.Records(s) {
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

func (w *Walk) sound(rec *segment.Record) error {
	w.after(rec)
	w.Ended = rec.Kind == segment.End
	if w.Rec != nil {
		if err := w.Rec(rec); err != nil {
			return errStopped{err}
		}
	}
	return nil
}

func (w *Walk) after(rec *segment.Record) {
	w.From, w.Next = rec.Offset+rec.Size, rec.Seq
	if rec.Kind.Data() {
		w.Next++
	}
}

func (w *Walk) report(g Gap) error {
	if w.Gap == nil || g.From == g.To && g.First == g.Next {
		return nil
	}
	if err := w.Gap(g); err != nil {
		return errStopped{err}
	}
	return nil
}

// past moves w.from behind the bytes that do not check. If it needs a longer stretch to decide, it
// leaves w.from as it is.
func (w *Walk) past(c *segment.CorruptError) error {
	end := min(w.To, w.From+w.stretch)
	head, err := headAt(w.R, w.Src, w.From, w.To)
	if err != nil {
		return err
	}
	log := w.R.Header.Kind == segment.Log
	if head != nil && (!log || head.Seq >= w.Next) {
		if w.From+head.Size > end && w.From+head.Size <= w.To {
			w.stretch = max(w.stretch, head.Size)
			return nil
		}
		if w.From+head.Size <= w.To {
			return w.pastRecord(head, c)
		}
	}
	at, seq, found, err := w.R.Find(w.From+1, end, w.Next)
	if err != nil {
		return err
	}
	if !found && end < w.To {
		return nil
	}
	g := Gap{From: w.From, To: at, First: w.Next, Next: seq, Reason: c.Reason}
	if !found {
		g.To, g.Next = w.To, 0
	} else if log && seq < w.Next { // a record of a number that was given before
		g.Next = w.Next
	}
	w.From, w.stretch = g.To, leastStretch
	if found && seq > w.Next || !log {
		w.Next = seq
	}
	return w.report(g)
}

// pastRecord passes over a record whose head is sound.
func (w *Walk) pastRecord(head *segment.Record, c *segment.CorruptError) error {
	if w.R.Header.Kind == segment.Log && head.Seq > w.Next {
		g := Gap{From: w.From, To: w.From, First: w.Next, Next: head.Seq, Reason: c.Reason}
		if err := w.report(g); err != nil {
			return err
		}
	}
	w.Next, w.stretch = head.Seq, leastStretch
	s := segment.Span{From: w.From, To: w.From + head.Size, Next: head.Seq, Depth: segment.CheckValues}
	for rec, err := range w.R.Records(s) {
		if err == nil {
			return w.sound(rec) // it is its place among the others that does not fit
		}
		e, ok := segment.AsCorrupt(err)
		if !ok {
			return err
		}
		c = e
	}
	g := Gap{From: w.From, To: w.From + head.Size, First: w.Next, Head: head, Reason: c.Reason}
	w.after(head)
	g.Next = w.Next
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
		rec, place := new(segment.Record), r.ChecksumSeed()
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
