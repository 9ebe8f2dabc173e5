package audit

import (
	"context"
	"slices"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/source"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/segment"
)

// repairFor is how long what is put back is kept from being pruned again: the tip counts
// as given up until all of it is there.
const repairFor = 24 * time.Hour

// findGivenUp finds the segments that prune gave up and that the store's newest state needs,
// and pins them. It returns what is to be done once all of them are there again: the tips are
// no longer given up, and the pin ends. The work can be cut off before that: archivers and
// audits then still find that the tip was given up.
func (h *repairer) findGivenUp(ctx context.Context, list *source.Listing) (done func(context.Context) error, err error) {
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
		return nothing, nil // there is no such state, or it is damaged: other checks report that
	}
	err = target.Persist(ctx, target.Allowance(0), func(ctx context.Context) (err error) {
		h.lost, err = h.a.GivenUp(ctx, st.Store, st.Set, 0)
		return err
	})
	if err != nil || h.lost.Len() == 0 || h.o.DryRun {
		return nothing, err
	}
	pin, err := h.a.PutPin(ctx, st.Store, h.lost, "a repair of the archive", repairFor)
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

// takeUp ends the giving up of the tips that a set belongs to. Segments of the set that a
// prune had begun to delete and that are there again are taken out of the plans of prune: else
// they would count as deleted until the next prune.
func takeUp(ctx context.Context, a *archive.Archive, store segment.UUID, set segment.Set) error {
	plans, err := a.PrunePlans(ctx, store)
	if err != nil {
		return err
	}
	for _, p := range plans {
		left := &archive.PrunePlan{Store: store, Made: p.Made, Bytes: p.Bytes, Drops: p.Drops, Segments: p.Segments}
		left.Drops = slices.DeleteFunc(slices.Clone(p.Drops), func(d archive.Drop) bool { return d.Meets(set) })
		if planned := segment.SetOfRuns(p.Segments...); !p.Waits && planned.Meets(set) { // one that waits says nothing yet
			left.Segments = planned.Minus(set).Runs()
		}
		if len(left.Drops) == len(p.Drops) && segment.SetOfRuns(left.Segments...).Len() == segment.SetOfRuns(p.Segments...).Len() {
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
