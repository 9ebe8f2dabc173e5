package integrity

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/varve-db/varve/segment"
)

// diagnoseWalk is a damagedWalk that adds a finding for each place that does not check, and
// adds up what does.
type diagnoseWalk struct {
	walk damagedWalk
	open bool // nothing says where the records end: in an output, the last sound one is the last
	kind Kind // of the findings
	*findings

	end     int64 // where the records end
	ranges  []damaged
	records int64             // that checked
	durable int64             // a sound record vouches for all before
	edits   []segment.EditSet // of sound records
	bad     bool
	walked  walked
}

// damaged is a finding that stands for all bytes from one offset to another.
type damaged struct {
	from, to int64
	finding  int // its place in the list
}

// sound reports whether all records checked.
func (w *diagnoseWalk) sound() bool { return !w.bad }

// run goes over the records. The error is one of reading.
func (w *diagnoseWalk) run() error {
	w.end = w.walk.to
	w.walked = walked{kind: w.walk.r.Header.Kind, entries: multiset{keys: newHashKeys()}, end: w.walk.r.HeaderSize}
	w.walk.rec, w.walk.gap = w.record, w.gap
	if err := w.walk.run(); err != nil {
		return err
	}
	w.finish()
	return nil
}

// record adds up a sound record.
func (w *diagnoseWalk) record(rec *segment.Record) error {
	if rec.Vouches() {
		w.durable = max(w.durable, rec.Vouch)
	}
	if rec.Kind == segment.Edit {
		if e, err := rec.ParseEdit(); err == nil {
			w.edits = append(w.edits, e)
		}
	}
	if err := w.walked.add(rec); err != nil {
		c, _ := segment.AsCorrupt(err)
		w.finding(c.Offset, c.Reason, c.Keys, c.FirstSeq, c.LastSeq)
	}
	w.records++
	return nil
}

// gap adds the finding of a gap.
func (w *diagnoseWalk) gap(g gap) error {
	log := w.walked.kind == segment.Log
	var keys [][]byte
	var first, last uint64
	switch {
	case g.head != nil && g.head.Kind.Data():
		keys, first, last = [][]byte{bytes.Clone(g.head.Key)}, g.head.Seq, g.head.Seq
	case g.head != nil:
	case g.from < g.to && g.next == 0 && w.open && !log:
		w.end = g.from // here its footer begins
		return nil
	case !log: // its numbers are in no order
	case g.next == 0:
		first, last = g.first, g.first
	case g.next > g.first: // else no number is missing, so there was no put or delete
		first, last = g.first, g.next-1
	}
	if g.head == nil && g.from < g.to {
		w.ranges = append(w.ranges, damaged{g.from, g.to, len(w.list)})
	}
	w.finding(g.from, g.reason, keys, first, last)
	return nil
}

func (w *diagnoseWalk) finding(off int64, reason string, keys [][]byte, first, last uint64) {
	w.bad = true
	w.add(Finding{Kind: w.kind, Offset: off, Reason: reason, Keys: keys, FirstSeq: first, LastSeq: last})
}

// finish judges how the records end.
func (w *diagnoseWalk) finish() {
	ended := w.walk.ended
	switch {
	case w.walked.kind != segment.Log:
	case ended && w.open:
		w.end = w.walk.from
	case ended && w.walk.from < w.end:
		w.finding(w.walk.from, "bytes behind the end record of the log", nil, 0, 0)
	case !ended && !w.bad && w.kind == DamagedRecord:
		w.finding(w.walk.from, "a sealed log without an end record", nil, 0, 0)
	}
}

// DiagnoseLog names all damage in the durable part of the newest log, which is in the first
// size bytes of src, and returns the edits in its sound records. Of the options, File and Ref
// count. The error is one of reading.
func DiagnoseLog(ctx context.Context, src io.ReaderAt, size int64, o VerifyOptions) (damage []Finding, edits []segment.EditSet, err error) {
	found := findings{ref: o.Ref}
	p := &patchy{ctx: ctx, src: src}
	r, err := segment.NewReader(p, size)
	if err != nil {
		return nil, nil, err
	}
	w := &diagnoseWalk{walk: damagedWalk{r: r, src: p, to: size}, open: true, kind: DamagedLog, findings: &found}
	if err := w.run(); err != nil {
		return nil, nil, err
	}
	for _, f := range found.list {
		if f.Offset < w.durable { // what comes after that may be the torn end of the log
			f.File = o.File
			f.Reason += fmt.Sprintf("; the log was on the disk up to offset %d", w.durable)
			damage = append(damage, f)
		}
	}
	return damage, w.edits, nil
}
