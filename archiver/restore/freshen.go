package restore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// A copy opens at every moment while it is freshened. If segments were put into the folder one
// after the other, each would be the newest log of the store for a while. So first a bridge is
// put in place: a log of a new timeline, with the highest id. It holds what the copy's newest
// log holds, and its live set leaves out the new segments. Then the new segments get their
// names. Last, the last log gets its name. This one rename makes the segments part of the store.

// ErrDiverged is wrapped by a *DivergedError.
var ErrDiverged = errors.New("not an older copy")

// A DivergedError says that a folder does not hold an earlier state of the history to be
// restored.
type DivergedError struct {
	Dest     string
	Reason   string
	Timeline segment.Timeline // of the copy
	Seq      uint64           // the copy's last sequence number
	Plan     segment.Timeline // that was to be restored
	PlanSeq  uint64
}

// Error names both timelines and the next step.
func (e *DivergedError) Error() string {
	return fmt.Sprintf("%s: %s: it is on timeline %v at sequence number %d, to be restored is timeline %v up to %d; restore into another folder",
		e.Dest, e.Reason, e.Timeline, e.Seq, e.Plan, e.PlanSeq)
}

// Unwrap returns ErrDiverged.
func (e *DivergedError) Unwrap() error { return ErrDiverged }

// freshen brings an older copy to the state of the plan.
func (r *restorer) freshen(ctx context.Context) (*Report, error) {
	if err := r.isCopy(); err != nil {
		return nil, err
	}
	unlock, err := r.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if r.dir, err = lookAt(r.fsys, segment.UUID{}); err != nil {
		return nil, err
	}
	old, err := r.dir.state()
	if err != nil {
		return nil, err
	}
	if old == nil {
		return nil, r.noStore()
	}
	if err := r.mayFreshen(old); err != nil {
		return nil, err
	}
	r.rep.Freshened = true
	there := !r.prove && old.seq == r.plan.Seq && old.live.Equal(r.set)
	if err := r.enoughRoom(there); err != nil {
		return nil, err
	}
	if err := r.fetch(ctx, there); err != nil {
		return nil, err
	}
	if there {
		r.rep.Unchanged, r.rep.Timeline = !r.placesAny(), old.hdr.Ref.Timeline
		if err := r.place(); err != nil { // what was damaged, or not yet placed by a build that was cut off
			return nil, err
		}
		if err := r.clean(append(r.retired(old), r.temporaries(true)...)...); err != nil {
			return nil, err
		}
	} else if err := r.replace(ctx, old); err != nil {
		return nil, err
	}
	if gone, err := r.lacks(integrity.RestoringName); gone || err != nil {
		return r.rep, err
	}
	return r.rep, r.unmark() // left by a build that was cut off just before
}

// isCopy checks that a folder holds a store, before anything is written to it.
func (r *restorer) isCopy() (err error) {
	if r.dir, err = lookAt(r.fsys, segment.UUID{}); err == nil && len(r.dir.Own) == 0 {
		err = r.noStore()
	}
	return err
}

func (r *restorer) noStore() error {
	return fmt.Errorf("%s: %w: it is not empty, and holds no store; name a folder that is absent or empty", r.fsys.Path("."), ErrDiverged)
}

// mayFreshen refuses a copy that is not an earlier state of the plan's history, or leaves the
// decision to sameRecords.
func (r *restorer) mayFreshen(old *copyState) error {
	h, p := old.hdr, r.plan
	e := &DivergedError{Dest: r.fsys.Path("."), Timeline: h.Ref.Timeline, Seq: old.seq, Plan: p.Timeline, PlanSeq: p.Seq}
	if h.UUID != p.Store {
		e.Reason = fmt.Sprintf("a copy of another store, %v", h.UUID)
		return e
	}
	own, untouched := p.To(h.Ref.Timeline), false
	if own == nil { // begun by a restore, or by a recovery
		untouched = old.seq == h.ParentSeq
		own = p.To(h.Parent.Timeline)
	}
	if own == nil {
		own = unknownLine(p, old)
		r.prove = own != nil
	}
	switch {
	case own == nil:
		e.Reason = "a copy with a history of its own"
	case own.Timeline != h.Ref.Timeline && !untouched:
		e.Reason = "a copy that was written to since"
	case old.seq > p.Seq && own.Timeline == p.Timeline:
		e.Reason = "a copy that is later than the point"
	case old.seq > own.To:
		e.Reason = "a copy that was written to since"
	default:
		return nil
	}
	return e
}

// replace puts the fetched segments and the new log in the place of what the copy
// has.
func (r *restorer) replace(ctx context.Context, old *copyState) error {
	if err := r.samePrefix(old); err != nil {
		return err
	}
	if r.prove {
		if err := r.sameRecords(old); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	gone := r.leaving(old)
	retired := refsOf(gone)
	least := segment.ID(0)
	if r.placesAny() && r.complete(old) {
		bridge, err := r.bridge(old)
		if err != nil {
			return err
		}
		gone = append(gone, bridge)
		retired, least = retired.With(bridge.Header.Ref), bridge.Header.Ref.ID+1
		if !old.log.Sealed {
			if err := r.clean(old.log); err != nil {
				return err
			}
		}
	}
	if err := r.place(); err != nil {
		return err
	}
	if err := r.putLast(least, retired.Minus(r.set)); err != nil {
		return err
	}
	return r.clean(append(append(gone, r.torn(old)...), r.temporaries(true)...)...)
}

// samePrefix checks that a log is the beginning of the sealed segment that replaces it.
func (r *restorer) samePrefix(old *copyState) error {
	ref := old.hdr.Ref
	i := slices.IndexFunc(r.ready, func(x ready) bool { return x.ref == ref && !x.placed })
	if i < 0 || old.log.Sealed {
		return nil
	}
	a, err := r.fsys.Open(old.log.Name)
	if err != nil {
		return err
	}
	defer a.Close()
	b, err := r.fsys.Open(segment.FileName(ref.ID, segment.TempExt))
	if err != nil {
		return err
	}
	defer b.Close()
	if same, err := sameBytes(a, b, old.v.End); err != nil || same {
		return err
	}
	return &DivergedError{Dest: r.fsys.Path("."), Reason: fmt.Sprintf("its log %v is not the beginning of the one in the archive", ref),
		Timeline: ref.Timeline, Seq: old.seq, Plan: r.plan.Timeline, PlanSeq: r.plan.Seq}
}

// sameBytes compares the first n bytes of two files.
func sameBytes(a, b vfs.File, n int64) (bool, error) {
	x, y := make([]byte, min(n, 1<<20)), make([]byte, min(n, 1<<20))
	for off := int64(0); off < n; off += int64(len(x)) {
		x, y = x[:min(int64(len(x)), n-off)], y[:min(int64(len(x)), n-off)]
		if m, err := a.ReadAt(x, off); m < len(x) {
			return false, err
		}
		if m, err := b.ReadAt(y, off); m < len(y) {
			size, sizeErr := b.Size()
			return false, cmp.Or(sizeErr, ifLonger(size, off+int64(len(y)), err))
		}
		if !bytes.Equal(x, y) {
			return false, nil
		}
	}
	return true, nil
}

// ifLonger returns err, but nil where the file is shorter than the read needs: then the files
// differ.
func ifLonger(size, need int64, err error) error {
	if size < need {
		return nil
	}
	return err
}

// placesAny reports whether segments will get their names.
func (r *restorer) placesAny() bool {
	return slices.ContainsFunc(r.ready, func(x ready) bool { return !x.placed })
}

// complete reports whether the copy has all of its segments. Otherwise it does not
// open, and needs no bridge.
func (r *restorer) complete(old *copyState) bool {
	for ref := range old.live.All() {
		if r.dir.sealed(ref) == nil {
			return false
		}
	}
	return true
}

// bridge puts a log in place that holds what the copy's newest log holds, and knows
// of the segments to come.
func (r *restorer) bridge(old *copyState) (*integrity.Entry, error) {
	was := old.hdr
	h := &segment.Header{
		Head: segment.Head{Kind: segment.Log, UUID: was.UUID, FirstSeq: was.FirstSeq, Time: segment.NextTime(max(was.Time, old.v.LastTime), time.Now()),
			Parent: was.Ref, ParentSeq: old.seq, Replaced: was.Ref}, Live: old.live,
	}
	if r.plan.To(was.Ref.Timeline) == nil { // the archive does not know its timeline: the bridge has the same parent
		h.Parent, h.ParentSeq, h.Replaced = was.Parent, was.ParentSeq, was.Replaced
	}
	recs := none
	if old.ended() {
		h.FirstSeq, h.Replaced = old.seq+1, old.v.Successor
	} else {
		f, err := r.fsys.Open(old.log.Name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		recs = segment.DataRecords(f, old.v.End)
	}
	known := refsOf(r.dir.Own).Union(was.Retired)
	var coming []segment.Ref
	for _, x := range r.ready {
		coming = append(coming, x.ref)
	}
	h.Retired = known.With(coming...).Minus(old.live)
	id := max(r.plan.NextID, r.dir.maxID+1, was.NextID, old.v.Successor.ID+1)
	h.Ref = segment.Ref{Timeline: segment.NewTimeline(), ID: id}
	h.NextID = id + 1
	if err := putLog(r.fsys, h, recs); err != nil {
		return nil, noRoom(err)
	}
	return &integrity.Entry{Name: segment.FileName(id, segment.OpenExt), ID: id, Header: &h.Head}, nil
}

// leaving returns the segments of the copy that the plan does not need: those of its
// set, those that left it before, and its newest log.
func (r *restorer) leaving(old *copyState) (gone []*integrity.Entry) {
	ours := old.live.Union(old.hdr.Retired).With(old.hdr.Ref, old.hdr.Replaced)
	for _, x := range r.dir.Own {
		if ours.Has(x.Header.Ref) && (!r.set.Has(x.Header.Ref) || !x.Sealed) {
			gone = append(gone, x)
		}
	}
	return gone
}

// retired returns the files of segments that have left the set of a copy that is at the point
// already: a restore that was cut off did not remove them.
func (r *restorer) retired(old *copyState) (gone []*integrity.Entry) {
	for _, x := range r.leaving(old) {
		if x != old.log {
			gone = append(gone, x)
		}
	}
	return append(gone, r.torn(old)...)
}

// torn returns logs without a header: the next log, reserved by the writer whose
// store was copied, or begun with a torn write.
func (r *restorer) torn(old *copyState) (gone []*integrity.Entry) {
	for _, x := range r.dir.headless() {
		if !x.Sealed && (x.Size == 0 || x.ID == old.v.Successor.ID) {
			gone = append(gone, x)
		}
	}
	for _, x := range r.dir.Alien { // its header is stale bytes, after a torn write
		if !x.Sealed && x.ID == old.v.Successor.ID {
			gone = append(gone, x)
		}
	}
	return gone
}

func refsOf(segs []*integrity.Entry) segment.Set {
	var refs []segment.Ref
	for _, x := range segs {
		refs = append(refs, x.Header.Ref)
	}
	return segment.SetOf(refs...)
}
