package prune

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/segment"
)

// tree is the tree of a store, with what prune has learned of its segments.
type tree struct {
	*history.Tree
	have segment.Set // all segments that are there

	mu    sync.Mutex
	lived segment.Set // guarded by mu: segments that were in a live set, or that their own timeline retired
}

// readTree reads the listings of a store, cut into parts, and a header or two of each
// timeline. The error names an object that cannot be read.
func readTree(ctx context.Context, a *archive.Archive, store segment.UUID, cuts []string) (*tree, error) {
	h := &tree{}
	var err error
	if h.Tree, err = history.NewTree(ctx, a, store, cuts, h.remember); err != nil {
		return nil, err
	}
	for _, b := range h.Branches {
		h.have = h.have.Union(b.From(0, 1<<64-1))
	}
	return h, h.PlaceAll(ctx)
}

// remember returns a header of the store, and remembers what it says of others.
func (h *tree) remember(ctx context.Context, ref segment.Ref) (*segment.Header, error) {
	hd, err := h.A.Header(ctx, h.Store, ref)
	if err != nil {
		name := h.A.At(archive.SegmentName(h.Store, ref))
		_, corrupt := errors.AsType[*segment.CorruptError](err)
		if corrupt || errors.Is(err, segment.ErrVersion) {
			return nil, &archive.UnreadableError{Object: name, Err: err}
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lived = h.lived.Union(hd.Live)
	for _, r := range hd.Retired.Runs() {
		if r.Timeline == hd.Ref.Timeline { // else its own timeline may still adopt it
			h.lived = h.lived.Union(segment.SetOfRuns(r))
		}
	}
	return hd, nil
}

// missing returns those of a live set that are not there.
func (h *tree) missing(hd *segment.Header) segment.Set {
	return hd.Live.Minus(h.have)
}

// completeLog returns the newest of the first n segments of a branch that is a log,
// was begun by time t (zero: at any), and whose live set is all there: from there
// every later point can be restored. nil and −1 if there is none. newest is the
// newest such log, complete or not. Where a segment is missing the search goes on
// before the first log that lists it.
func (h *tree) completeLog(ctx context.Context, b *history.Branch, n int, t time.Time) (hd *segment.Header, at int, newest *segment.Header, err error) {
	segs, i := h.Logs(b), -1
	if t.IsZero() {
		i, newest, err = segs.Last(ctx, 0, n)
	} else {
		i, newest, err = segs.Search(ctx, 0, n, func(_ int, hd *segment.Header) (bool, error) { return hd.Time <= segment.Nanos(t), nil })
	}
	hd = newest
	for err == nil && hd != nil {
		missing := h.missing(hd)
		if missing.Len() == 0 {
			return hd, i, newest, nil
		}
		// A segment that left the set never returns. So the logs that list it, up to this one,
		// are in one run, which ends here and begins after the segment's own id.
		for _, r := range missing.Runs() {
			from := 0
			if r.Timeline == b.Id {
				from, _ = archive.Find(b.Segments, r.First)
			}
			first := segment.Ref{Timeline: r.Timeline, ID: r.First}
			j, _, err := segs.Search(ctx, from, i, func(_ int, hd *segment.Header) (bool, error) { return !hd.Live.Has(first), nil })
			if err == nil && j < 0 {
				j, _, err = segs.Last(ctx, 0, from)
			}
			if err != nil {
				return nil, -1, nil, err
			}
			i = min(i, j)
			if i < 0 {
				return nil, -1, newest, nil
			}
		}
		i, hd, err = segs.Last(ctx, 0, i+1)
	}
	return nil, -1, newest, err
}

// dropsOf turns the tips that a caller gives up into drops, gives them up, and finds out which
// tips are left. A timeline that is no tip is an error that says why.
func (h *tree) dropsOf(ctx context.Context, give []segment.Timeline, before []archive.Drop) ([]archive.Drop, error) {
	var drops []archive.Drop
	for _, t := range give {
		b := h.Branches[t]
		if b == nil || b.Log == nil {
			return nil, fmt.Errorf("%s: store %v: timeline %v: no log of it is there: %w", h.A.Target().URL(), h.Store, t, target.ErrNotExist)
		}
		if d := (archive.Drop{Timeline: t, Newest: b.Log.Ref.ID}); !slices.Contains(before, d) {
			drops = append(drops, d)
		}
	}
	h.GiveUp(before)
	h.GiveUp(drops)
	for _, t := range give {
		c, err := h.Continuation(ctx, h.Branches[t])
		if err != nil {
			return nil, err
		}
		if c != nil {
			return nil, fmt.Errorf("%s: store %v: timeline %v is no tip: timeline %v goes on from it; prune deletes what only it needs, without a drop",
				h.A.Target().URL(), h.Store, t, c.Id)
		}
	}
	return drops, h.FindTips(ctx)
}

// counts reports whether a tip that was given up must be remembered: it did not go on since,
// or something of it was deleted already, which its store may lack.
func (h *tree) counts(d archive.Drop) bool {
	b := h.Branches[d.Timeline]
	return b == nil || b.Dropped || len(b.Gone) > 0
}
