package integrity

import (
	"bytes"
	"io"

	"github.com/varve-db/varve/segment"
)

// lookOn walks the records of a segment on past damage, and adds a finding for
// each place that does not check: a record whose head is sound, by its key and
// sequence number, else all bytes up to the next sound record.
type lookOn struct {
	r    *segment.Reader
	src  io.ReaderAt // what r reads
	end  int64       // where the records end; with open, where at most
	open bool        // nothing says where the records end: in an output, the last sound one is the last
	kind Kind        // of the findings
	*findings

	ranges  []damaged
	records int64             // that checked
	durable int64             // a sound record vouches for all before
	edits   []segment.EditSet // of sound records
	bad     bool
	walked  walked
	from    int64
	next    uint64 // the sequence number due at from
}

// damaged is a finding that stands for all bytes from one offset to another.
type damaged struct {
	from, to int64
	finding  int // its place in the list
}

// sound reports whether all records checked.
func (w *lookOn) sound() bool { return !w.bad }

// run goes over the records. The error is one of reading.
func (w *lookOn) run() error {
	w.from, w.next = w.r.HeaderSize, w.r.Header.FirstSeq
	w.walked = walked{kind: w.r.Header.Kind, entries: multiset{keys: newHashKeys()}, end: w.from}
	for w.from < w.end {
		err := w.stretch()
		if err == nil {
			break
		}
		c, ok := asCorrupt(err)
		if !ok {
			return err
		}
		if err := w.past(c); err != nil {
			return err
		}
	}
	w.finish()
	return nil
}

// stretch walks up to the first record that does not check.
func (w *lookOn) stretch() error {
	s := segment.Span{From: w.from, To: w.end, Next: w.next, Depth: segment.CheckValues}
	for rec, err := range w.r.Records(s) {
		if err != nil {
			return err
		}
		w.step(rec)
		if rec.Vouches() {
			w.durable = max(w.durable, rec.Vouch)
		}
		if rec.Kind == segment.Edit {
			if e, err := rec.ParseEdit(); err == nil {
				w.edits = append(w.edits, e)
			}
		}
		if err := w.walked.add(rec); err != nil {
			c, _ := asCorrupt(err)
			w.finding(c.Offset, c.Reason, c.Keys, c.FirstSeq, c.LastSeq)
		}
		w.records++
	}
	return nil
}

// step moves behind a record.
func (w *lookOn) step(rec *segment.Record) {
	w.from, w.next = rec.Offset+rec.Size, rec.Seq
	if rec.Kind.Data() {
		w.next++
	}
}

func (w *lookOn) finding(off int64, reason string, keys [][]byte, first, last uint64) {
	w.bad = true
	w.add(Finding{Kind: w.kind, Offset: off, Reason: reason, Keys: keys, FirstSeq: first, LastSeq: last})
}

// past goes on behind what does not check at w.from.
func (w *lookOn) past(c *segment.CorruptError) error {
	rec, err := headAt(w.r, w.src, w.from, w.end)
	if err != nil {
		return err
	}
	if rec == nil {
		return w.pastBytes(c)
	}
	if err := w.alone(rec); err == nil {
		// The record is sound, so it is its place that is not.
	} else if e, ok := asCorrupt(err); ok {
		c = e
	} else {
		return err
	}
	var keys [][]byte
	var first, last uint64
	if rec.Kind.Data() {
		keys, first, last = [][]byte{bytes.Clone(rec.Key)}, rec.Seq, rec.Seq
	}
	if w.walked.kind == segment.Log && rec.Seq > w.next { // those between are not there
		first, last = w.next, max(last, rec.Seq-1)
	}
	w.finding(w.from, c.Reason, keys, first, last)
	w.step(rec)
	w.from = min(w.from, w.end)
	w.walked.last, w.walked.end = rec.Kind, w.from
	return nil
}

// alone checks the one record of which rec is the head, whatever should stand there.
func (w *lookOn) alone(rec *segment.Record) error {
	s := segment.Span{From: w.from, To: min(w.from+rec.Size, w.end), Next: rec.Seq, Depth: segment.CheckValues}
	for _, err := range w.r.Records(s) {
		return err
	}
	return nil
}

// pastBytes goes on at the next record that is sound.
func (w *lookOn) pastBytes(c *segment.CorruptError) error {
	off, seq, found, err := w.r.Find(w.from+1, w.end, w.next)
	if err != nil {
		return err
	}
	if !found {
		if w.open && w.walked.kind == segment.Output {
			w.end = w.from // here its footer begins
			return nil
		}
		off, seq = w.end, w.next
	}
	first, last := w.next, w.next
	if w.walked.kind == segment.Output {
		first, last = 0, 0 // its numbers are in no order
	} else if seq > first {
		last = seq - 1
	} else if found {
		first, last = 0, 0 // no number is missing, so there was no put or delete
	}
	w.ranges = append(w.ranges, damaged{w.from, off, len(w.list)})
	w.finding(w.from, c.Reason, nil, first, last)
	w.from, w.next = off, seq
	return nil
}

// finish judges how the records end.
func (w *lookOn) finish() {
	switch {
	case w.open && w.walked.kind == segment.Log && w.walked.last == segment.End:
		w.end = w.from
	case w.walked.kind == segment.Log && w.walked.last != segment.End && !w.bad && w.kind == DamagedRecord:
		w.finding(w.from, "a sealed log without an end record", nil, 0, 0)
	}
}
