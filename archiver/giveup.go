package archiver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/varve-db/varve/segment"
)

// A tip is given up by somebody who knows that its store is not needed any more. If that
// was wrong, the store lives on, has receipts for all that prune deleted, and what it
// ships from then on is of no use without that. So whoever ships, audits or repairs
// asks whether the store's timelines were given up, which costs one listing of
// plans, and, only if one was, a listing of that timeline.

// givenUp returns those of a set that prune deletes, or has deleted where a tip was given
// up. except is a backup of which the pins do not count, or zero: see begun.
func (a *Archive) givenUp(ctx context.Context, store segment.UUID, set *refSet, except uint64) (*refSet, error) {
	plans, err := a.prunePlans(ctx, store)
	if err != nil {
		return nil, err
	}
	gone, err := a.begun(ctx, store, plans, except)
	if err != nil {
		return nil, err
	}
	for _, d := range dropsIn(plans) {
		if !d.meets(set) {
			continue
		}
		c, err := a.Contents(ctx, store, d.Timeline)
		if err != nil {
			return nil, err
		}
		gone.addRefs(c.Gone)
	}
	return gone.and(set), nil
}

// meets reports whether a set holds a segment of the tip, as that was when it was given up.
func (d Drop) meets(set *refSet) bool {
	return setOfRuns([]segment.Run{{Timeline: d.Timeline, First: 1, Count: uint64(d.Newest)}}).meets(set)
}

// prunedError is the error for segments that prune deletes, or has deleted. It wraps
// ErrPruned.
func (a *Archive) prunedError(store segment.UUID, refs *refSet, next string) error {
	return fmt.Errorf("%s: store %v: %w: %s; %s", a.target.URL(), store, ErrPruned, refList(slices.Collect(refs.refs())), next)
}

// ErrPruned is wrapped by the error for segments that prune deletes, or has deleted.
var ErrPruned = errors.New("pruned segments")

// givenUpEvery is how often a lane that has been started asks whether its store was given
// up.
const givenUpEvery = 10 * time.Minute

// lookGivenUp finds out whether the archive lacks, by a prune, what the store's newest
// state needs: an alarm until it has it again. What else is shipped goes on.
func (l *lane) lookGivenUp(ctx context.Context) error {
	l.mu.Lock()
	a, asked := archiveOf(l.target, l.id), l.asked
	l.mu.Unlock()
	if time.Since(asked) < givenUpEvery && !asked.IsZero() {
		return nil
	}
	store, lost, err := l.lostToPrune(ctx, a)
	_, unreadable := errors.AsType[*UnreadableError](err)
	if unreadable || errors.Is(err, ErrDenied) { // who may only put objects is not held up by it
		l.a.opt.Logger.Warn("it is not known whether prune gave the store up", "target", l.url, "err", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: plans of prune: %w", l.url, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = time.Now()
	if lost.len() == 0 {
		l.pruned = nil
		return nil
	}
	err = a.prunedError(store, lost, "its timeline was given up, and the store still needs them: without them nothing that is written now can be restored; put them back from the store")
	if l.pruned == nil {
		l.prunedSince = time.Now().UTC()
		l.a.opt.Logger.Error("alarm", "target", l.url, "kind", AlarmGivenUp, "err", err)
	}
	l.pruned = err
	return nil
}

// lostToPrune returns what the archive lacks of the store's newest state because its tip was
// given up. The state is read only if there are plans at all.
func (l *lane) lostToPrune(ctx context.Context, a *Archive) (store segment.UUID, lost *refSet, err error) {
	list := l.a.newest()
	plans, err := a.prunePlans(ctx, list.Store)
	if err != nil || len(plans) == 0 {
		return list.Store, &refSet{}, err
	}
	st, err := l.a.source.newestOf(list)
	if err != nil {
		return list.Store, &refSet{}, nil // nothing is sealed yet; or it is damaged, which others say
	}
	lost, err = a.givenUp(ctx, st.store, st.set, 0)
	return st.store, lost, err
}
