package salvage

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/integrity/internal/walk"
	"github.com/varve-db/varve/segment"
)

// scan notes what is in one file, and what is lost of it.
type scan struct {
	*salvager
	*segmentFile
	e    *integrity.Entry
	ref  segment.Ref
	file int32
	gaps []walk.Gap
	n    int64 // puts and deletes that were found

	after uint64 // the number of the first sound record behind what counts; zero: none
}

func (s *scan) run(newest bool) error {
	var next segment.Ref
	w := &walk.Walk{R: s.r, Src: s.src, To: s.end,
		Rec: func(rec *segment.Record) error {
			if s.record(rec); rec.Kind == segment.End {
				next = rec.Successor()
			}
			return s.ctx.Err()
		},
		Gap: func(g walk.Gap) error {
			s.gaps = append(s.gaps, g)
			return s.ctx.Err()
		}}
	if err := w.Run(); err != nil {
		if s.ctx.Err() != nil {
			return s.ctx.Err()
		}
		// The disk fails in so many places that it is not asked again.
		s.gaps = append(s.gaps, walk.Gap{From: w.From, To: s.end, First: w.Next, Reason: err.Error()})
	}
	log := s.r.Header.Kind == segment.Log
	if !log && s.footer == nil {
		s.unfooted()
	}
	whole := s.table()
	open := log && !w.Ended && !newest && s.footer == nil
	for i, g := range s.gaps {
		s.gap(g, open && i == len(s.gaps)-1 && g.Next == 0, whole)
	}
	if !log {
		return nil
	}
	s.due, s.follow = max(s.due, w.Next), next
	if s.footer != nil {
		s.due = max(s.due, s.footer.LastSeq+1)
	}
	if open && (len(s.gaps) == 0 || s.gaps[len(s.gaps)-1].Next != 0) {
		s.missing(Loss{Kind: LostRecords, Segment: s.ref, File: s.e.Name, Offset: s.e.Size, Reason: "the log ends before its end record"})
	}
	return nil
}

// unfooted decides whether the last gap of an output is its damaged footer, or lost records. It is
// the footer if the footer that the records give has the same length.
func (s *scan) unfooted() {
	n := len(s.gaps)
	if n == 0 {
		return
	}
	last := &s.gaps[n-1]
	if n == 1 && last.To == s.e.Size {
		if _, sum, err := s.r.Seal(last.From); err == nil && sum.FileSize == s.e.Size {
			s.losses = append(s.losses, Loss{Kind: LostControl, Segment: s.ref, File: s.e.Name, Offset: last.From, Bytes: last.To - last.From,
				Reason: "the footer; all records are there"})
			s.gaps = nil
			return
		}
	}
	last.Reason += "; from here on records and table cannot be told apart"
}

// record takes note of a sound record.
func (s *scan) record(rec *segment.Record) {
	if !rec.Kind.Data() {
		return
	}
	v := version{seq: rec.Seq, off: rec.Offset, size: rec.Size, file: s.file}
	if rec.Kind == segment.Delete {
		v.state = deleted
	}
	s.versions.add(rec.Key, v)
	s.found(rec.Seq)
}

func (s *scan) found(seq uint64) {
	s.n++
	s.seen.add(seq, seq)
	s.salvager.last = max(s.salvager.last, seq)
}

// table looks up in the segment's table which records were where bytes are lost, and reports whether
// the table could be read to its end.
func (s *scan) table() bool {
	if len(s.gaps) == 0 || s.footer == nil {
		return false
	}
	c := s.footer.Cursor()
	for c.Next() {
		e := &c.Entry
		i, _ := slices.BinarySearchFunc(s.gaps, e.Offset, func(g walk.Gap, off int64) int {
			if g.To <= off {
				return -1
			}
			return 1
		})
		if i == len(s.gaps) || e.Offset+e.Size <= s.gaps[i].From || s.gaps[i].Head != nil {
			continue
		}
		if e.Kind == segment.Delete {
			s.versions.add(e.Key, version{seq: e.Seq, off: e.Offset, size: e.Size, file: s.file, state: deleted})
			s.found(e.Seq)
			continue
		}
		s.put(e.Key, e.Seq, e.Offset, e.Size, s.gaps[i].Reason)
	}
	return c.Err() == nil
}

// put takes note of a put that is lost.
func (s *scan) put(key []byte, seq uint64, off, size int64, reason string) {
	s.n++
	key = bytes.Clone(key)
	s.versions.add(key, version{seq: seq, off: off, size: size, file: s.file, state: lost})
	s.named.add(seq, seq)
	s.losses = append(s.losses, Loss{Kind: LostPut, Segment: s.ref, File: s.e.Name, Offset: off, Bytes: size, Key: strconv.Quote(string(key)),
		KeyBytes: key, FirstSeq: seq, LastSeq: seq, Reason: reason})
}

// gap takes note of bytes that are lost: open says that they reach up to the next
// log, whole that the table names all puts and deletes among them.
func (s *scan) gap(g walk.Gap, open, whole bool) {
	l := Loss{Kind: LostRecords, Segment: s.ref, File: s.e.Name, Offset: g.From, Bytes: g.To - g.From, Reason: g.Reason}
	switch {
	case g.Head != nil && g.Head.Kind == segment.Put:
		s.put(g.Head.Key, g.Head.Seq, g.From, g.To-g.From, g.Reason)
		return
	case g.Head != nil && g.Head.Kind == segment.Delete:
		s.record(g.Head)
		return
	case g.Head != nil:
		l.Kind = LostControl
	case s.r.Header.Kind != segment.Log:
		s.outputGap(&l, whole)
	case open:
		s.due = g.First
		s.missing(l)
		return
	case g.Next > g.First:
		l.FirstSeq, l.LastSeq = g.First, g.Next-1
	case g.Next == 0 && s.footer != nil && s.footer.LastSeq >= g.First:
		l.FirstSeq, l.LastSeq = g.First, s.footer.LastSeq
	case g.Next == 0 && s.after > g.First:
		l.FirstSeq, l.LastSeq = g.First, s.after-1
	default:
		l.Kind = LostControl
	}
	s.losses = append(s.losses, l)
}

// maxSeq is beyond any sequence number that a store comes to.
const maxSeq = 1 << 62

// outputGap says which numbers may be lost with bytes of an output. Its numbers are in no order.
func (s *scan) outputGap(l *Loss, whole bool) {
	switch {
	case whole:
		l.Kind = LostControl // the table names each that was there
	case s.footer != nil && s.n < s.footer.Entries():
		l.FirstSeq, l.LastSeq = s.footer.FirstSeq, s.footer.LastSeq
	case s.footer == nil:
		s.endless = true
	default:
		l.Kind = LostControl
	}
}
