package archiver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/varve-db/varve/archiver/alarm"
	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/segment"
)

// A user who believes that a store is not needed any more gives up its tip. If that was wrong,
// the store lives on. It has receipts for all that prune deleted, and what it ships from then on
// is useless without that. So shipping, audits and repairs ask whether the store's timelines
// were given up. This costs one listing of plans and, only if one was, a listing of that
// timeline.

// givenUpEvery is how often a shipper asks whether its store was given up.
const givenUpEvery = 10 * time.Minute

// lookGivenUp finds out whether a prune took from the archive what the store's newest state
// needs. That is an alarm until the archive has it again. Shipping goes on.
func (l *shipper) lookGivenUp(ctx context.Context) error {
	l.mu.Lock()
	a, asked := archive.Of(l.target, l.id), l.asked
	l.mu.Unlock()
	if time.Since(asked) < givenUpEvery && !asked.IsZero() {
		return nil
	}
	store, lost, err := l.lostToPrune(ctx, a)
	_, unreadable := errors.AsType[*archive.UnreadableError](err)
	if unreadable || errors.Is(err, target.ErrDenied) { // credentials that may only put objects are enough to ship
		l.a.opt.Logger.Warn("it is not known whether prune gave the store up", "target", l.url, "err", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: plans of prune: %w", l.url, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = time.Now()
	if lost.Len() == 0 {
		l.pruned = nil
		return nil
	}
	err = a.PrunedError(store, lost, "its timeline was given up, and the store still needs them: without them nothing that is written now can be restored; put them back from the store")
	if l.pruned == nil {
		l.prunedSince = time.Now().UTC()
		l.a.opt.Logger.Error("alarm", "target", l.url, "kind", alarm.GivenUp, "err", err)
	}
	l.pruned = err
	return nil
}

// lostToPrune returns what the archive lacks of the store's newest state because its tip was
// given up. The state is read only if there are plans at all.
func (l *shipper) lostToPrune(ctx context.Context, a *archive.Archive) (store segment.UUID, lost segment.Set, err error) {
	list := l.a.newest()
	plans, err := a.PrunePlans(ctx, list.Store)
	if err != nil || len(plans) == 0 {
		return list.Store, segment.Set{}, err
	}
	st, err := l.a.source.NewestOf(list)
	if err != nil {
		return list.Store, segment.Set{}, nil // nothing is sealed yet; or the log is damaged: other checks report that
	}
	lost, err = a.GivenUp(ctx, st.Store, st.Set, 0)
	return st.Store, lost, err
}
