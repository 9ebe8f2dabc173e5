package integrity

import (
	"bytes"
	"errors"
	"slices"
	"strconv"

	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// haul is a segment file that is open to be looked through.
type haul struct {
	Source
	src    *patchy
	r      *segment.Reader
	footer *segment.Footer // nil: none that is sound
	end    int64           // where the records end, at most
}

// open opens a file of which the header is known, from itself or otherwise.
func (w *salvage) open(e *Entry, hdr *segment.Head) (*haul, error) {
	f, err := w.fs.Open(e.Name)
	if err != nil {
		return nil, err
	}
	if e.Size == 0 {
		e.Size, _ = f.Size() // it could not be asked for with the header
	}
	h := &haul{Source: f, src: &patchy{ctx: w.ctx, src: f}, end: e.Size}
	h.r = segment.ReaderFor(hdr, h.src, e.Size)
	h.r.HeaderSize = min(e.Size, max(e.HeaderSize, segment.MinHeader))
	if h.footer, err = h.r.OpenFooter(); err == nil {
		h.end = h.footer.RecordsEnd
	} else {
		h.footer = nil
	}
	return h, nil
}

// file looks through one file. The newest log counts up to its last whole batch, or as far as it
// says that it was on the disk.
func (w *salvage) file(e *Entry, hdr *segment.Head, newest bool) error {
	h, err := w.open(e, hdr)
	if vfs.IsTooManyFiles(err) { // which is no damage
		return vfs.TooManyFiles(err)
	}
	if err != nil {
		w.whole(e, hdr.Ref, err.Error())
		return w.ctx.Err()
	}
	defer h.Close()
	log := hdr.Kind == segment.Log
	if log && !w.begun[hdr.Ref] { // else it is another file of the same segment
		w.resume(hdr.FirstSeq)
	}
	after := uint64(0)
	if newest && log {
		if h.end, after, err = w.committed(h); err != nil {
			return err
		}
		if h.end < e.Size && h.footer == nil {
			w.note(e.Name, "what stands behind offset %d was not acknowledged, and does not count", h.end)
		}
	}
	s := &sift{salvage: w, haul: h, e: e, ref: hdr.Ref, file: int32(len(w.walked)), after: after}
	w.walked = append(w.walked, &Entry{Name: e.Name, ID: e.ID, Sealed: e.Sealed, Size: e.Size, Header: hdr})
	w.begun[hdr.Ref] = true
	if err := s.run(newest); err != nil {
		return err
	}
	if w.o.Progress != nil {
		w.o.Progress(e.Size)
	}
	return w.ctx.Err()
}

// committed returns how much of the newest log counts, and the number of the first sound
// record behind that, or zero.
func (w *salvage) committed(h *haul) (end int64, after uint64, err error) {
	end = h.r.HeaderSize
	walk := &damagedWalk{r: h.r, src: h.src, to: h.end, rec: func(rec *segment.Record) error {
		if rec.Vouches() && rec.Vouch > end {
			end, after = rec.Vouch, 0
		}
		if after == 0 {
			after = rec.Seq
		}
		if rec.Commit() {
			end, after = max(end, rec.Offset+rec.Size), 0
		}
		return w.ctx.Err()
	}}
	err = walk.run()
	return min(end, h.end), after, err
}

// headerless looks through a file of the set whose header is lost: its records are tied to
// the segment all the same. Of an output the numbers would not be known.
func (w *salvage) headerless(e *Entry, ref segment.Ref, newest bool) error {
	if errors.Is(e.Err, segment.ErrVersion) {
		w.whole(e, ref, "not read")
		return nil
	}
	f, err := w.fs.Open(e.Name)
	if vfs.IsTooManyFiles(err) { // which is no damage
		return vfs.TooManyFiles(err)
	}
	if err != nil {
		w.whole(e, ref, "not read")
		return w.ctx.Err()
	}
	if e.Size == 0 {
		e.Size, _ = f.Size()
	}
	hdr := &segment.Head{Kind: segment.Log, UUID: w.out.UUID, Ref: ref, FirstSeq: w.due}
	known := ref == w.follow || ref.ID == 1 // the first of the store
	sum, err := segment.ReaderFor(hdr, &patchy{ctx: w.ctx, src: f}, e.Size).Trailer()
	f.Close()
	switch {
	case err == nil && sum.Others > 0: // an output has none
		hdr.FirstSeq = sum.FirstSeq
	case err == nil, !known:
		w.whole(e, ref, "nothing says which numbers it begins with")
		return w.ctx.Err()
	}
	if hdr.FirstSeq == 0 || hdr.FirstSeq > maxSeq {
		w.whole(e, ref, "its numbers cannot be")
		return w.ctx.Err()
	}
	before := len(w.losses)
	if err := w.file(e, hdr, newest); err != nil {
		return err
	}
	if len(w.losses) == before { // nothing but the header
		w.losses = append(w.losses, Loss{Kind: LostControl, Segment: ref, File: e.Name, Bytes: min(e.Size, segment.MinHeader), Reason: "the header of the log"})
	}
	return nil
}

// sift takes note of what is in one file, and what is lost of it.
type sift struct {
	*salvage
	*haul
	e    *Entry
	ref  segment.Ref
	file int32
	gaps []gap
	n    int64 // puts and deletes that were found

	after uint64 // the number of the first sound record behind what counts; zero: none
}

func (s *sift) run(newest bool) error {
	var next segment.Ref
	walk := &damagedWalk{r: s.r, src: s.src, to: s.end,
		rec: func(rec *segment.Record) error {
			if s.record(rec); rec.Kind == segment.End {
				next = rec.Successor()
			}
			return s.ctx.Err()
		},
		gap: func(g gap) error {
			s.gaps = append(s.gaps, g)
			return s.ctx.Err()
		}}
	if err := walk.run(); err != nil {
		if s.ctx.Err() != nil {
			return s.ctx.Err()
		}
		// The disk fails in so many places that it is not asked again.
		s.gaps = append(s.gaps, gap{from: walk.from, to: s.end, first: walk.next, reason: err.Error()})
	}
	log := s.r.Header.Kind == segment.Log
	if !log && s.footer == nil {
		s.unfooted()
	}
	whole := s.table()
	open := log && !walk.ended && !newest && s.footer == nil
	for i, g := range s.gaps {
		s.gap(g, open && i == len(s.gaps)-1 && g.next == 0, whole)
	}
	if !log {
		return nil
	}
	s.due, s.follow = max(s.due, walk.next), next
	if s.footer != nil {
		s.due = max(s.due, s.footer.LastSeq+1)
	}
	if open && (len(s.gaps) == 0 || s.gaps[len(s.gaps)-1].next != 0) {
		s.missing(Loss{Kind: LostRecords, Segment: s.ref, File: s.e.Name, Offset: s.e.Size, Reason: "the log ends before its end record"})
	}
	return nil
}

// unfooted tells the damaged footer of an output from records that are lost: the footer
// that the records give is as long as what stands behind them.
func (s *sift) unfooted() {
	n := len(s.gaps)
	if n == 0 {
		return
	}
	last := &s.gaps[n-1]
	if n == 1 && last.to == s.e.Size {
		if _, sum, err := s.r.Seal(last.from); err == nil && sum.FileSize == s.e.Size {
			s.losses = append(s.losses, Loss{Kind: LostControl, Segment: s.ref, File: s.e.Name, Offset: last.from, Bytes: last.to - last.from,
				Reason: "the footer; all records are there"})
			s.gaps = nil
			return
		}
	}
	last.reason += "; from here on records and table cannot be told apart"
}

// record takes note of a sound record.
func (s *sift) record(rec *segment.Record) {
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

func (s *sift) found(seq uint64) {
	s.n++
	s.seen.add(seq, seq)
	s.salvage.last = max(s.salvage.last, seq)
}

// table looks up in the segment's table what stood where bytes are lost, and reports whether
// it could be read to its end.
func (s *sift) table() bool {
	if len(s.gaps) == 0 || s.footer == nil {
		return false
	}
	c := s.footer.Cursor()
	for c.Next() {
		e := &c.Entry
		i, _ := slices.BinarySearchFunc(s.gaps, e.Offset, func(g gap, off int64) int {
			if g.to <= off {
				return -1
			}
			return 1
		})
		if i == len(s.gaps) || e.Offset+e.Size <= s.gaps[i].from || s.gaps[i].head != nil {
			continue
		}
		if e.Kind == segment.Delete {
			s.versions.add(e.Key, version{seq: e.Seq, off: e.Offset, size: e.Size, file: s.file, state: deleted})
			s.found(e.Seq)
			continue
		}
		s.put(e.Key, e.Seq, e.Offset, e.Size, s.gaps[i].reason)
	}
	return c.Err() == nil
}

// put takes note of a put that is lost.
func (s *sift) put(key []byte, seq uint64, off, size int64, reason string) {
	s.n++
	key = bytes.Clone(key)
	s.versions.add(key, version{seq: seq, off: off, size: size, file: s.file, state: lost})
	s.named.add(seq, seq)
	s.losses = append(s.losses, Loss{Kind: LostPut, Segment: s.ref, File: s.e.Name, Offset: off, Bytes: size, Key: strconv.Quote(string(key)),
		KeyBytes: key, FirstSeq: seq, LastSeq: seq, Reason: reason})
}

// gap takes note of bytes that are lost: open says that they reach up to the next
// log, whole that the table told all puts and deletes among them.
func (s *sift) gap(g gap, open, whole bool) {
	l := Loss{Kind: LostRecords, Segment: s.ref, File: s.e.Name, Offset: g.from, Bytes: g.to - g.from, Reason: g.reason}
	switch {
	case g.head != nil && g.head.Kind == segment.Put:
		s.put(g.head.Key, g.head.Seq, g.from, g.to-g.from, g.reason)
		return
	case g.head != nil && g.head.Kind == segment.Delete:
		s.record(g.head)
		return
	case g.head != nil:
		l.Kind = LostControl
	case s.r.Header.Kind != segment.Log:
		s.outputGap(&l, whole)
	case open:
		s.due = g.first
		s.missing(l)
		return
	case g.next > g.first:
		l.FirstSeq, l.LastSeq = g.first, g.next-1
	case g.next == 0 && s.footer != nil && s.footer.LastSeq >= g.first:
		l.FirstSeq, l.LastSeq = g.first, s.footer.LastSeq
	case g.next == 0 && s.after > g.first:
		l.FirstSeq, l.LastSeq = g.first, s.after-1
	default:
		l.Kind = LostControl
	}
	s.losses = append(s.losses, l)
}

// maxSeq is beyond any sequence number that a store comes to.
const maxSeq = 1 << 62

// outputGap says what can be said of lost bytes of an output, whose numbers are in no
// order.
func (s *sift) outputGap(l *Loss, whole bool) {
	switch {
	case whole:
		l.Kind = LostControl // all that was there is told one by one
	case s.footer != nil && s.n < s.footer.Entries():
		l.FirstSeq, l.LastSeq = s.footer.FirstSeq, s.footer.LastSeq
	case s.footer == nil:
		s.endless = true
	default:
		l.Kind = LostControl
	}
}
