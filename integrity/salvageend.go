package integrity

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// whole notes the loss of a file.
func (w *salvage) whole(e *Entry, ref segment.Ref, reason string) {
	if e.Err != nil {
		reason += ": " + e.Err.Error()
	}
	w.missing(Loss{Kind: LostSegment, Segment: ref, File: e.Name, Bytes: e.Size, Reason: reason})
}

// missing notes a loss that reaches from where the log before ended to where the next
// one begins.
func (w *salvage) missing(l Loss) {
	l.FirstSeq = w.due
	w.pending = append(w.pending, len(w.losses))
	w.losses = append(w.losses, l)
}

// resume ends the pending losses before the first number of a log.
func (w *salvage) resume(first uint64) {
	for _, i := range w.pending {
		l := &w.losses[i]
		switch {
		case l.FirstSeq < first:
			l.LastSeq = first - 1
		case l.Kind == LostSegment: // no numbers are missing: it is an output, of older ones
			l.FirstSeq = 0
			w.endless = true
		default:
			l.Kind, l.FirstSeq, l.LastSeq = LostControl, 0, 0
		}
	}
	w.pending = w.pending[:0]
}

func (w *salvage) note(file, format string, args ...any) {
	w.out.Notes = append(w.out.Notes, Note{File: file, Text: fmt.Sprintf(format, args...)})
}

// settle makes the list of losses final: without what was found after all, in another
// copy of the segment or by its table. It returns the number below which an object may
// not be the newest version of its key.
func (w *salvage) settle() (stale uint64) {
	w.endless = w.endless || len(w.pending) > 0
	var numbers seqSet
	told := map[uint64]bool{} // of known keys: two copies may lack the same
	for _, l := range w.losses {
		if l.LastSeq == 0 {
			w.out.Lost = append(w.out.Lost, l)
			continue
		}
		known := l.Kind == LostPut
		for _, r := range w.seen.without(seqs{l.FirstSeq, l.LastSeq}) {
			if known && !told[r.first] {
				told[r.first] = true
				w.lostPut(&l)
				numbers.add(r.first, r.last)
			}
			if known {
				continue
			}
			for _, r := range w.named.without(r) {
				l.FirstSeq, l.LastSeq = r.first, r.last
				stale = max(stale, r.last)
				numbers.add(r.first, r.last)
				w.out.Lost = append(w.out.Lost, l)
			}
		}
	}
	w.out.LostNumbers = numbers.count()
	if w.endless {
		stale = ^uint64(0)
	}
	return stale
}

// lostPut lists a put of a known key.
func (w *salvage) lostPut(l *Loss) {
	older, newest := w.newestIs(l.KeyBytes, l.FirstSeq)
	l.Newest = newest
	if newest {
		w.out.LostObjects++
	}
	if older != nil {
		e := w.walked[older.file]
		l.Older = &Place{File: e.Name, Offset: older.off, Bytes: older.size, Seq: older.seq}
		if e.Header != nil {
			l.Older.Segment = e.Header.Ref
		}
	}
	w.out.Lost = append(w.out.Lost, *l)
}

// deliver reads the newest version of each key and hands it out.
func (w *salvage) deliver(stale uint64) (err error) {
	list := slices.DeleteFunc(w.list, func(v version) bool { return v.state != saved })
	w.versions = nil
	slices.SortFunc(list, func(a, b version) int { return cmp.Compare(a.seq, b.seq) })
	open := map[int32]*haul{}
	var closing error
	closeAll := func() {
		for _, h := range open {
			closing = errors.Join(closing, h.Close())
		}
		clear(open)
	}
	defer func() {
		closeAll()
		err = errors.Join(err, closing)
	}()
	for _, v := range list {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		h := open[v.file]
		if h == nil {
			const most = 64 // files open at once
			if len(open) == most {
				closeAll()
			}
			e := w.walked[v.file]
			var openErr error
			if h, openErr = w.open(e, e.Header); vfs.IsTooManyFiles(openErr) {
				closeAll()
				h, openErr = w.open(e, e.Header)
			}
			if vfs.IsTooManyFiles(openErr) { // which is no damage
				return vfs.TooManyFiles(openErr)
			}
			if openErr != nil {
				w.unread(e, v, openErr)
				continue
			}
			open[v.file] = h
		}
		rec, err := h.r.RecordAt(v.off, v.off+v.size)
		if err != nil {
			w.unread(w.walked[v.file], v, err)
			continue
		}
		x := Object{Object: rec.Object(), Slots: rec.Slots, Expiry: rec.Expiry, MayBeStale: v.seq < stale}
		w.out.Objects++
		w.out.Bytes += int64(len(x.Value))
		if x.MayBeStale {
			w.out.MayBeStale++
		}
		if w.o.Object == nil {
			continue
		}
		if err := w.o.Object(x); err != nil {
			return err
		}
	}
	return nil
}

// unread lists a version that could be read before and cannot now.
func (w *salvage) unread(e *Entry, v version, err error) {
	l := Loss{Kind: LostPut, File: e.Name, Offset: v.off, Bytes: v.size, FirstSeq: v.seq, LastSeq: v.seq, Newest: true,
		Reason: "it could be read at first: " + err.Error()}
	if e.Header != nil {
		l.Segment = e.Header.Ref
	}
	w.out.LostNumbers++
	w.out.Numbers--
	w.out.LostObjects++
	w.out.Lost = append(w.out.Lost, l)
}
