package integrity

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/varve-db/varve/integrity/internal/walk"
	"github.com/varve-db/varve/segment"
)

// diagnoseWalk is a walk.Walk that adds a finding for each place that does not check, and
// adds up what does.
type diagnoseWalk struct {
	walk walk.Walk
	open bool // nothing says where the records end: in an output, the last sound one is the last
	kind Kind // of the findings
	*findings

	end     int64 // where the records end
	ranges  []damaged
	records int64             // that checked
	durable int64             // a sound record vouches for all before
	edits   []segment.EditSet // of sound records
	bad     bool
	totals  totals
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
	w.end = w.walk.To
	w.totals = totals{kind: w.walk.R.Header.Kind, entries: multiset{keys: newHashKeys()}, end: w.walk.R.HeaderSize}
	w.walk.Rec, w.walk.Gap = w.record, w.gap
	if err := w.walk.Run(); err != nil {
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
	if err := w.totals.add(rec); err != nil {
		c, _ := segment.AsCorrupt(err)
		w.finding(c.Offset, c.Reason, c.Keys, c.FirstSeq, c.LastSeq)
	}
	w.records++
	return nil
}

// gap adds the finding of a gap.
func (w *diagnoseWalk) gap(g walk.Gap) error {
	log := w.totals.kind == segment.Log
	var keys [][]byte
	var first, last uint64
	switch {
	case g.Head != nil && g.Head.Kind.Data():
		keys, first, last = [][]byte{bytes.Clone(g.Head.Key)}, g.Head.Seq, g.Head.Seq
	case g.Head != nil:
	case g.From < g.To && g.Next == 0 && w.open && !log:
		w.end = g.From // here its footer begins
		return nil
	case !log: // its numbers are in no order
	case g.Next == 0:
		first, last = g.First, g.First
	case g.Next > g.First: // else no number is missing, so there was no put or delete
		first, last = g.First, g.Next-1
	}
	if g.Head == nil && g.From < g.To {
		w.ranges = append(w.ranges, damaged{g.From, g.To, len(w.list)})
	}
	w.finding(g.From, g.Reason, keys, first, last)
	return nil
}

func (w *diagnoseWalk) finding(off int64, reason string, keys [][]byte, first, last uint64) {
	w.bad = true
	w.add(Finding{Kind: w.kind, Offset: off, Reason: reason, Keys: keys, FirstSeq: first, LastSeq: last})
}

// finish judges how the records end.
func (w *diagnoseWalk) finish() {
	ended := w.walk.Ended
	switch {
	case w.totals.kind != segment.Log:
	case ended && w.open:
		w.end = w.walk.From
	case ended && w.walk.From < w.end:
		w.finding(w.walk.From, "bytes behind the end record of the log", nil, 0, 0)
	case !ended && !w.bad && w.kind == DamagedRecord:
		w.finding(w.walk.From, "a sealed log without an end record", nil, 0, 0)
	}
}

// DiagnoseLog names all damage in the durable part of the newest log, which is in the first
// size bytes of src, and returns the edits in its sound records. Of the options, File and Ref
// count. The error is one of reading.
func DiagnoseLog(ctx context.Context, src io.ReaderAt, size int64, o VerifyOptions) (damage []Finding, edits []segment.EditSet, err error) {
	found := findings{ref: o.Ref}
	p := &walk.ReadAround{Ctx: ctx, Src: src}
	r, err := segment.NewReader(p, size)
	if err != nil {
		return nil, nil, err
	}
	w := &diagnoseWalk{walk: walk.Walk{R: r, Src: p, To: size}, open: true, kind: DamagedLog, findings: &found}
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
