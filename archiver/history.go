package archiver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/varve-db/varve/segment"
)

// history is the tree of a store as prune looks at it.
type history struct {
	*tree
	have *refSet // all segments that are there

	mu    sync.Mutex
	lived *refSet // guarded by mu: segments that were in a live set, or that their own timeline retired
}

// readTree reads the listings of a store, cut into parts, and a header or two of each
// timeline. The error names an object that cannot be read.
func readTree(ctx context.Context, a *Archive, store segment.UUID, cuts []string) (*history, error) {
	h := &history{have: &refSet{}, lived: &refSet{}}
	var err error
	if h.tree, err = newTree(ctx, a, store, cuts, h.remember); err != nil {
		return nil, err
	}
	for _, b := range h.branches {
		for _, s := range b.Segments {
			h.have.addRefs([]segment.Ref{s.Ref})
		}
	}
	h.have.normal()
	return h, h.placeAll(ctx)
}

// remember returns a header of the store, and remembers what it says of others.
func (h *history) remember(ctx context.Context, ref segment.Ref) (*segment.Header, error) {
	hd, err := h.a.Header(ctx, h.store, ref)
	if err != nil {
		name := h.a.at(segmentName(h.store, ref))
		_, corrupt := errors.AsType[*segment.CorruptError](err)
		if corrupt || errors.Is(err, segment.ErrVersion) {
			return nil, &UnreadableError{name, err}
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lived.addSet(hd.Live)
	for _, r := range hd.Retired.Runs() {
		if r.Timeline == hd.Ref.Timeline { // else its own timeline may still adopt it
			h.lived.addRuns([]segment.Run{r})
		}
	}
	h.lived.normal()
	return hd, nil
}

// missing returns those of a live set that are not there.
func (h *history) missing(hd *segment.Header) *refSet {
	return &refSet{set: hd.Live.Minus(h.have.whole())}
}

// completeLog returns the newest of the first n segments of a branch that is a log,
// was begun by time t (zero: at any), and whose live set is all there: from there
// every later point can be restored. nil and −1 if there is none. newest is the
// newest such log, complete or not. Where a segment is missing the search goes on
// before the first log that lists it.
func (h *history) completeLog(ctx context.Context, b *branch, n int, t time.Time) (hd *segment.Header, at int, newest *segment.Header, err error) {
	row, i := h.row(b), -1
	if t.IsZero() {
		i, newest, err = row.last(ctx, 0, n)
	} else {
		i, newest, err = row.search(ctx, 0, n, func(_ int, hd *segment.Header) (bool, error) { return hd.Time <= segment.Nanos(t), nil })
	}
	hd = newest
	for err == nil && hd != nil {
		missing := h.missing(hd)
		if missing.len() == 0 {
			return hd, i, newest, nil
		}
		// A segment leaves the set once and for good, so of the logs up to this one
		// those that list it are the last. Those before it was made cannot.
		for _, r := range missing.normal() {
			from := 0
			if r.Timeline == b.id {
				from, _ = find(b.Segments, r.First)
			}
			first := segment.Ref{Timeline: r.Timeline, ID: r.First}
			j, _, err := row.search(ctx, from, i, func(_ int, hd *segment.Header) (bool, error) { return !hd.Live.Has(first), nil })
			if err == nil && j < 0 {
				j, _, err = row.last(ctx, 0, from)
			}
			if err != nil {
				return nil, -1, nil, err
			}
			i = min(i, j)
			if i < 0 {
				return nil, -1, newest, nil
			}
		}
		i, hd, err = row.last(ctx, 0, i+1)
	}
	return nil, -1, newest, err
}

// dropsOf turns the tips that a caller gives up into drops, gives them up, and finds
// out which tips are left. One that is no tip is an error that says why.
func (h *history) dropsOf(ctx context.Context, give []segment.Timeline, before []Drop) ([]Drop, error) {
	var drops []Drop
	for _, t := range give {
		b := h.branches[t]
		if b == nil || b.log == nil {
			return nil, fmt.Errorf("%s: store %v: timeline %v: no log of it is there: %w", h.a.target.URL(), h.store, t, ErrNotExist)
		}
		if d := (Drop{t, b.log.Ref.ID}); !slices.Contains(before, d) {
			drops = append(drops, d)
		}
	}
	h.giveUp(before)
	h.giveUp(drops)
	for _, t := range give {
		c, err := h.continuation(ctx, h.branches[t])
		if err != nil {
			return nil, err
		}
		if c != nil {
			return nil, fmt.Errorf("%s: store %v: timeline %v is no tip: timeline %v goes on from it; what only it needs goes without being dropped",
				h.a.target.URL(), h.store, t, c.id)
		}
	}
	return drops, h.findTips(ctx)
}

// counts reports whether a tip that was given up is to be remembered: it did not go on
// since, or something of it was deleted already, which its store may lack.
func (h *history) counts(d Drop) bool {
	b := h.branches[d.Timeline]
	return b == nil || b.dropped || len(b.Gone) > 0
}
