package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/varve-db/varve/segment"
)

// GivenUp returns the segments of a set that prune deletes, or has deleted where a tip was
// given up. If except is not zero, the pins of that backup do not count: see Begun.
func (a *Archive) GivenUp(ctx context.Context, store segment.UUID, set segment.Set, except uint64) (gone segment.Set, err error) {
	plans, err := a.PrunePlans(ctx, store)
	if err != nil {
		return gone, err
	}
	if gone, err = a.Begun(ctx, store, plans, except); err != nil {
		return gone, err
	}
	for _, d := range DropsIn(plans) {
		if !d.Meets(set) {
			continue
		}
		c, err := a.Contents(ctx, store, d.Timeline)
		if err != nil {
			return gone, err
		}
		gone = gone.With(c.Gone...)
	}
	return gone.And(set), nil
}

// Meets reports whether a set holds a segment of the tip as it was when it was given up.
func (d Drop) Meets(set segment.Set) bool {
	return segment.SetOfRuns(segment.Run{Timeline: d.Timeline, First: 1, Count: uint64(d.Newest)}).Meets(set)
}

// PrunedError is the error for segments that prune deletes, or has deleted. It wraps
// ErrPruned.
func (a *Archive) PrunedError(store segment.UUID, refs segment.Set, next string) error {
	return fmt.Errorf("%s: store %v: %w: %s; %s", a.target.URL(), store, ErrPruned, RefList(slices.Collect(refs.All())), next)
}

// ErrPruned is wrapped by the error for segments that prune deletes, or has deleted.
var ErrPruned = errors.New("pruned segments")
