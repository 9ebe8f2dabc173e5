package salvage

import (
	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/segment"
)

// whole notes the loss of a file.
func (w *salvager) whole(e *integrity.Entry, ref segment.Ref, reason string) {
	if e.Err != nil {
		reason += ": " + e.Err.Error()
	}
	w.missing(Loss{Kind: LostSegment, Segment: ref, File: e.Name, Bytes: e.Size, Reason: reason})
}

// missing notes a loss that reaches from where the log before ended to where the next
// one begins.
func (w *salvager) missing(l Loss) {
	l.FirstSeq = w.due
	w.pending = append(w.pending, len(w.losses))
	w.losses = append(w.losses, l)
}

// resume ends the pending losses before the first number of a log.
func (w *salvager) resume(first uint64) {
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

// finish makes the list of losses final: records that were found in another file of the segment, or
// that its table names, are taken off the list. It returns the number below which an object may
// not be the newest version of its key.
func (w *salvager) finish() (stale uint64) {
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
func (w *salvager) lostPut(l *Loss) {
	older, newest := w.newestIs(l.KeyBytes, l.FirstSeq)
	l.Newest = newest
	if newest {
		w.out.LostObjects++
	}
	if older != nil {
		e := w.walked[older.file]
		l.Older = &Location{File: e.Name, Offset: older.off, Bytes: older.size, Seq: older.seq}
		if e.Header != nil {
			l.Older.Segment = e.Header.Ref
		}
	}
	w.out.Lost = append(w.out.Lost, *l)
}
