package archiver

import (
	"context"
	"slices"
	"time"

	"github.com/varve-db/varve/segment"
)

// healFor is how long what is put back is kept from being pruned again: the tip counts
// as given up until all of it is there.
const healFor = 24 * time.Hour

// findGivenUp finds what prune gave up and the store's newest state needs, and pins it. It
// returns what is to be done when all of that is there again: the tips are not given
// up any more, and the pin ends. Until then it can be cut off anywhere: who ships and
// who audits still finds that the tip was given up.
func (h *healer) findGivenUp(ctx context.Context, list *Listing) (done func(context.Context) error, err error) {
	h.lost, h.begun = &refSet{}, &refSet{}
	nothing := func(context.Context) error { return nil }
	err = persist(ctx, allowance(0), func(ctx context.Context) error {
		plans, err := h.a.prunePlans(ctx, list.Store)
		if err == nil {
			h.begun, err = h.a.begun(ctx, list.Store, plans, 0)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	st, err := h.source.newestOf(list)
	if err != nil {
		return nothing, nil // there is no such state, or it is damaged, which is not for this to say
	}
	err = persist(ctx, allowance(0), func(ctx context.Context) (err error) {
		h.lost, err = h.a.givenUp(ctx, st.store, st.set, 0)
		return err
	})
	if err != nil || h.lost.len() == 0 || h.o.DryRun {
		return nothing, err
	}
	pin, err := h.a.putPin(ctx, st.store, h.lost, "a repair of the archive", healFor)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		if len(h.rep.Failed) == 0 {
			if err := takeUp(ctx, h.a, pin.Store, st.set); err != nil {
				return err
			}
		}
		return h.a.target.Delete(ctx, pin.object())
	}, nil
}

// unmark takes away the marker of a segment that is there again.
func (h *healer) unmark(ctx context.Context, r *Receipt) error {
	if h.o.DryRun {
		return nil
	}
	return h.a.target.Delete(ctx, refName(r.Store, r.Segment, "gone"))
}

// takeUp has the tips that a set belongs to be given up no more. What of the set a prune had
// begun to delete, and is there again, is taken out of the plans of prune: without that it
// would count as deleted until the next prune.
func takeUp(ctx context.Context, a *Archive, store segment.UUID, set *refSet) error {
	plans, err := a.prunePlans(ctx, store)
	if err != nil {
		return err
	}
	for _, p := range plans {
		left := &prunePlan{Store: store, Made: p.Made, Bytes: p.Bytes, Drops: p.Drops, Segments: p.Segments}
		left.Drops = slices.DeleteFunc(slices.Clone(p.Drops), func(d Drop) bool { return d.meets(set) })
		if planned := setOfRuns(p.Segments); !p.waits && planned.meets(set) { // one that waits says nothing yet
			left.Segments = planned.minus(set).normal()
		}
		if len(left.Drops) == len(p.Drops) && setOfRuns(left.Segments).len() == setOfRuns(p.Segments).len() {
			continue
		}
		if len(left.Drops)+len(left.Segments) > 0 {
			if err := a.putBegun(ctx, left); err != nil {
				return err
			}
		}
		if err := a.target.Delete(ctx, p.object()); err != nil {
			return err
		}
	}
	return nil
}
