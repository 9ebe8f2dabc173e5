package restore

import (
	"bytes"
	"fmt"
	"io"
	"iter"

	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/internal/sealed"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// A recovery may have begun the copy's newest log on a timeline that the archive does not know.
// The copy may still hold nothing of its own: each open after a crash begins a timeline, and a
// timeline on which nobody wrote is never shipped. Then its segments are of known timelines, and
// the records in its newest log were taken over from a log of the archive. To prove it, the
// records are compared.

// unknownLine is for a copy whose own log names a timeline that the plan does not know. It
// returns the stretch of the plan's history on which the copy's segments end; nil if there is
// none, or if the copy was written to.
func unknownLine(p *history.Plan, old *copyState) *history.Stretch {
	if old.seq != old.hdr.ParentSeq {
		return nil // it was written to
	}
	newest := segment.Ref{}
	for ref := range old.live.All() {
		if p.To(ref.Timeline) == nil {
			return nil
		}
		if ref.Compare(newest) > 0 {
			newest = ref
		}
	}
	own := p.To(newest.Timeline)
	if own == nil || old.hdr.FirstSeq > own.To+1 {
		return nil // what they hold beyond the stretch is a history of their own
	}
	return own
}

// sameRecords checks that the records in the copy's log are those of the fetched logs, by
// sequence number.
func (r *restorer) sameRecords(old *copyState) error {
	next := old.hdr.FirstSeq
	f, err := r.fsys.Open(old.log.Name)
	if err != nil {
		return err
	}
	defer f.Close()
	theirs, stop := iter.Pull2(r.logged(next))
	defer stop()
	for rec, err := range segment.DataRecords(f, old.v.End) {
		if err != nil {
			return segment.InFile(r.fsys.Path(old.log.Name), err)
		}
		their, err, ok := theirs()
		if err != nil {
			return err
		}
		if !ok || !sameRecord(rec, their) {
			return &DivergedError{Dest: r.fsys.Path("."), Reason: fmt.Sprintf("its record number %d is not that of the archive", rec.Seq),
				Timeline: old.hdr.Ref.Timeline, Seq: old.seq, Plan: r.plan.Timeline, PlanSeq: r.plan.Seq}
		}
	}
	return nil
}

// sameRecord reports whether two records put or delete the same.
func sameRecord(a, b *segment.Record) bool {
	const ours = ^(segment.FlagVouch | segment.FlagCommit)
	return a.Seq == b.Seq && a.Kind == b.Kind && a.Flags&ours == b.Flags&ours && a.Expiry == b.Expiry &&
		bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Meta, b.Meta) && bytes.Equal(a.Slots, b.Slots) && bytes.Equal(a.Value, b.Value)
}

// logged yields the records of the plan's logs from a sequence number on.
func (r *restorer) logged(from uint64) iter.Seq2[*segment.Record, error] {
	return func(yield func(*segment.Record, error) bool) {
		for _, x := range r.ready {
			if x.kind != segment.Log {
				continue
			}
			name := segment.FileName(x.ref.ID, segment.TempExt)
			if x.placed {
				name = r.dir.sealed(x.ref).Name
			}
			if !r.loggedIn(name, -1, from, yield) {
				return
			}
		}
		if c := r.plan.Cut; c != nil && c.Offset > 0 {
			r.loggedIn(segment.FileName(c.Ref.ID, segment.TempExt), c.Offset, from, yield)
		}
	}
}

// loggedIn yields the records of one file up to an offset; of a sealed file it yields all. It
// reports whether more are wanted.
func (r *restorer) loggedIn(name string, end int64, from uint64, yield func(*segment.Record, error) bool) bool {
	f, err := r.fsys.Open(name)
	if err != nil {
		return yield(nil, err)
	}
	defer f.Close()
	if end < 0 {
		foot, err := footerOf(f)
		if err != nil {
			return yield(nil, segment.InFile(name, err))
		}
		if foot.LastSeq < from {
			return true
		}
		end = foot.RecordsEnd
	}
	for rec, err := range segment.DataRecords(io.ReaderAt(f), end) {
		if (err != nil || rec.Seq >= from) && !yield(rec, err) || err != nil {
			return false
		}
	}
	return true
}

func footerOf(f vfs.File) (*segment.Footer, error) {
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	_, foot, err := sealed.Footed(f, size)
	return foot, err
}
