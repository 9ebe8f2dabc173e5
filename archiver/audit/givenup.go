package audit

import (
	"context"
	"slices"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/internal/refset"
	"github.com/varve-db/varve/archiver/source"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/segment"
)

// healFor is how long what is put back is kept from being pruned again: the tip counts
// as given up until all of it is there.
const healFor = 24 * time.Hour

// findGivenUp finds what prune gave up and the store's newest state needs, and pins it. It
// returns what is to be done when all of that is there again: the tips are not given
// up any more, and the pin ends. Until then it can be cut off anywhere: who ships and
// who audits still finds that the tip was given up.
func (h *repairer) findGivenUp(ctx context.Context, list *source.Listing) (done func(context.Context) error, err error) {
	h.lost, h.begun = &refset.Set{}, &refset.Set{}
	nothing := func(context.Context) error { return nil }
	err = target.Persist(ctx, target.Allowance(0), func(ctx context.Context) error {
		plans, err := h.a.PrunePlans(ctx, list.Store)
		if err == nil {
			h.begun, err = h.a.Begun(ctx, list.Store, plans, 0)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	st, err := h.source.NewestOf(list)
	if err != nil {
		return nothing, nil // there is no such state, or it is damaged, which is not for this to say
	}
	err = target.Persist(ctx, target.Allowance(0), func(ctx context.Context) (err error) {
		h.lost, err = h.a.GivenUp(ctx, st.Store, st.Set, 0)
		return err
	})
	if err != nil || h.lost.Len() == 0 || h.o.DryRun {
		return nothing, err
	}
	pin, err := h.a.PutPin(ctx, st.Store, h.lost, "a repair of the archive", healFor)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		if len(h.rep.Failed) == 0 {
			if err := takeUp(ctx, h.a, pin.Store, st.Set); err != nil {
				return err
			}
		}
		return h.a.Target().Delete(ctx, pin.Object())
	}, nil
}

// unmark takes away the marker of a segment that is there again.
func (h *repairer) unmark(ctx context.Context, r *receipt.Receipt) error {
	if h.o.DryRun {
		return nil
	}
	return h.a.Target().Delete(ctx, archive.RefName(r.Store, r.Segment, "gone"))
}

// takeUp has the tips that a set belongs to be given up no more. What of the set a prune had
// begun to delete, and is there again, is taken out of the plans of prune: without that it
// would count as deleted until the next prune.
func takeUp(ctx context.Context, a *archive.Archive, store segment.UUID, set *refset.Set) error {
	plans, err := a.PrunePlans(ctx, store)
	if err != nil {
		return err
	}
	for _, p := range plans {
		left := &archive.PrunePlan{Store: store, Made: p.Made, Bytes: p.Bytes, Drops: p.Drops, Segments: p.Segments}
		left.Drops = slices.DeleteFunc(slices.Clone(p.Drops), func(d archive.Drop) bool { return d.Meets(set) })
		if planned := refset.OfRuns(p.Segments); !p.Waits && planned.Meets(set) { // one that waits says nothing yet
			left.Segments = planned.Minus(set).Normal()
		}
		if len(left.Drops) == len(p.Drops) && refset.OfRuns(left.Segments).Len() == refset.OfRuns(p.Segments).Len() {
			continue
		}
		if len(left.Drops)+len(left.Segments) > 0 {
			if err := a.PutBegun(ctx, left); err != nil {
				return err
			}
		}
		if err := a.Target().Delete(ctx, p.Object()); err != nil {
			return err
		}
	}
	return nil
}
