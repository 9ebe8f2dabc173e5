package restore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/segment"
)

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

// placesAny reports whether segments will get their names.
func (r *restorer) placesAny() bool {
	return slices.ContainsFunc(r.ready, func(x ready) bool { return !x.placed })
}
