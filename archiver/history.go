package archiver

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/varve-db/varve/segment"
)

// history is what prune knows of a store's archive: what is there, by listings, and
// how its timelines go on from each other, by a few headers of each.
type history struct {
	a     *Archive
	store segment.UUID
	lines map[segment.Timeline]*branch
	have  *refSet // all segments that are there

	mu    sync.Mutex
	lived *refSet // guarded by mu: segments that were in a live set, or that their own timeline retired
}

// branch is one timeline of a history.
type branch struct {
	*Contents
	id       segment.Timeline
	newest   *segment.Header // of the newest log; nil if no log is there
	last     uint64          // the last sequence number; see continues
	parent   *branch         // that it began on; nil if nothing of it is there
	fork     segment.Ref     // the log of the parent where it began
	forkSeq  uint64          // the last sequence number taken over
	children []*branch       // that begin on it
	dropped  bool            // given up: its newest state counts no more
	tip      bool            // no branch that was not given up continues its last record
}

// history reads the listings of a store, and the header of the newest log of each
// timeline. The error names an object that cannot be read.
func (a *Archive) history(ctx context.Context, store segment.UUID) (*history, error) {
	timelines, err := a.timelines(ctx, store)
	if err != nil {
		return nil, err
	}
	h := &history{a: a, store: store, lines: map[segment.Timeline]*branch{}, have: &refSet{}, lived: &refSet{}}
	branches := make([]*branch, len(timelines))
	err = fanOut(ctx, manifestParallel, len(timelines), func(ctx context.Context, i int) error {
		b := &branch{id: timelines[i]}
		branches[i] = b
		var err error
		if b.Contents, err = a.Contents(ctx, store, b.id); err != nil {
			return err
		}
		b.newest, _, err = h.logBefore(ctx, b, len(b.Segments))
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, b := range branches {
		h.lines[b.id] = b
		for _, s := range b.Segments {
			h.have.addRefs([]segment.Ref{s.Ref})
		}
		b.dropped = b.givenUp()
	}
	h.have.normal()
	for _, b := range branches {
		if err := h.findParent(ctx, b); err != nil {
			return nil, err
		}
		if b.parent != nil {
			b.parent.children = append(b.parent.children, b)
		}
	}
	return h, nil
}

// findParent finds the branch that b began on. Of the one that its header names
// there may be nothing: it ended, by a crash, before it had a log to ship.
// Then it is the branch before that one: the newest whose last log b took over
// whole.
func (h *history) findParent(ctx context.Context, b *branch) error {
	if b.newest == nil || b.newest.Parent == (segment.Ref{}) {
		return nil
	}
	p := h.lines[b.newest.Parent.Timeline]
	if p != nil && p != b && p.newest != nil {
		b.parent, b.fork, b.forkSeq = p, b.newest.Parent, b.newest.ParentSeq
		return nil
	}
	first, err := h.firstLog(ctx, b, len(b.Segments))
	if err != nil {
		return err
	}
	for _, p := range h.lines {
		if p == b || p.newest == nil || !lists(first, p.newest.Ref) {
			continue
		}
		if b.parent == nil || p.newest.Ref.ID > b.fork.ID {
			b.parent, b.fork, b.forkSeq = p, p.newest.Ref, math.MaxUint64
		}
	}
	return nil
}

// givenUp reports whether the newest thing of a timeline was pruned: that is only
// done to a tip that was given up.
func (b *branch) givenUp() bool {
	n, m := len(b.Segments), len(b.Gone)
	return m > 0 && (n == 0 || b.Gone[m-1].ID >= b.Segments[n-1].Ref.ID)
}

// header returns a header of the store, and remembers what it says of others.
func (h *history) header(ctx context.Context, ref segment.Ref) (*segment.Header, error) {
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
	h.lived.addRefs(hd.Live)
	for _, r := range hd.Retired {
		if r.Timeline == hd.Ref.Timeline { // else its own timeline may still adopt it
			h.lived.addRefs([]segment.Ref{r})
		}
	}
	h.lived.normal()
	return hd, nil
}

// logBefore returns the header of the last log among the first n segments of a
// branch, and its index; nil and −1 if there is none. Names do not tell logs from
// outputs, so it costs a request for each output that stands behind the log.
func (h *history) logBefore(ctx context.Context, b *branch, n int) (*segment.Header, int, error) {
	for i := n - 1; i >= 0; i-- {
		hd, err := h.header(ctx, b.Segments[i].Ref)
		if err != nil {
			return nil, -1, err
		}
		if hd.Kind == segment.Log {
			return hd, i, nil
		}
	}
	return nil, -1, nil
}

// lastLog returns the last log among segments [from, to) of a branch for which ok
// holds; it must hold for every log before one for which it holds. nil and −1 if
// there is none. It costs the logarithm of their number in requests.
func (h *history) lastLog(ctx context.Context, b *branch, from, to int, ok func(*segment.Header) bool) (best *segment.Header, at int, err error) {
	at = -1
	for lo, hi := from, to; lo < hi; {
		mid := lo + (hi-lo)/2
		hd, i, err := h.logBefore(ctx, b, mid+1)
		switch {
		case err != nil:
			return nil, -1, err
		case i < lo: // outputs only
			lo = mid + 1
		case ok(hd):
			best, at, lo = hd, i, mid+1
		default:
			hi = i
		}
	}
	return best, at, nil
}

// missing returns those of a live set that are not there.
func (h *history) missing(hd *segment.Header) *refSet { return setOf(hd.Live).minus(h.have) }

// completeLog returns the newest of the first n segments of a branch that is a log,
// was begun by time t (zero: at any), and whose live set is all there: from there
// every later point can be restored. nil and −1 if there is none. newest is the
// newest such log, complete or not. Where a segment is missing the search goes on
// before the first log that lists it.
func (h *history) completeLog(ctx context.Context, b *branch, n int, t time.Time) (hd *segment.Header, at int, newest *segment.Header, err error) {
	i := -1
	if t.IsZero() {
		newest, i, err = h.logBefore(ctx, b, n)
	} else {
		newest, i, err = h.lastLog(ctx, b, 0, n, func(hd *segment.Header) bool { return hd.Time <= t.UnixNano() })
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
			_, j, err := h.lastLog(ctx, b, from, i, func(hd *segment.Header) bool { return !lists(hd, first) })
			if err == nil && j < 0 {
				_, j, err = h.logBefore(ctx, b, from)
			}
			if err != nil {
				return nil, -1, nil, err
			}
			i = min(i, j)
			if i < 0 {
				return nil, -1, newest, nil
			}
		}
		hd, i, err = h.logBefore(ctx, b, i+1)
	}
	return nil, -1, newest, err
}

// lists reports whether a log's live set holds ref.
func lists(hd *segment.Header, ref segment.Ref) bool {
	_, found := slices.BinarySearchFunc(hd.Live, ref, segment.Ref.Compare)
	return found
}

// continues reports whether a branch begins at or after the last record of its
// parent. It asks for a footer only where headers do not tell.
func (h *history) continues(ctx context.Context, c *branch) (bool, error) {
	b := c.parent
	switch {
	case c.fork.ID > b.newest.Ref.ID || c.forkSeq == math.MaxUint64:
		return true, nil // all that is here of b was taken over
	case b.newest.FirstSeq > c.forkSeq+1:
		return false, nil
	}
	if b.last == 0 {
		i, _ := find(b.Segments, b.newest.Ref.ID)
		f, err := h.a.Footer(ctx, h.store, b.Segments[i])
		if err != nil {
			return false, fmt.Errorf("%s: %w", h.a.at(segmentName(h.store, b.newest.Ref)), err)
		}
		b.last = f.LastSeq
	}
	return b.last <= c.forkSeq, nil
}

// findTips gives up the tips that are to be dropped, and finds out which branches
// are tips then.
func (h *history) findTips(ctx context.Context, drops []Drop) error {
	for _, d := range drops {
		if b := h.lines[d.Timeline]; b != nil && b.newest != nil && b.newest.Ref.ID <= d.Newest {
			b.dropped = true
		}
	}
	for _, b := range h.lines {
		b.tip = b.newest != nil && !b.dropped
		for _, c := range b.children {
			if !b.tip || c.dropped {
				continue
			}
			continued, err := h.continues(ctx, c)
			if err != nil {
				return err
			}
			b.tip = !continued
		}
	}
	return nil
}

// dropsOf turns the tips that a caller gives up into drops. One that is no tip is
// an error that says why.
func (h *history) dropsOf(ctx context.Context, give []segment.Timeline, before []Drop) ([]Drop, error) {
	var drops []Drop
	for _, t := range give {
		b := h.lines[t]
		if b == nil || b.newest == nil {
			return nil, fmt.Errorf("%s: store %v: timeline %v: no log of it is there: %w", h.a.target.URL(), h.store, t, ErrNotExist)
		}
		drops = append(drops, Drop{t, b.newest.Ref.ID})
	}
	if err := h.findTips(ctx, slices.Concat(before, drops)); err != nil {
		return nil, err
	}
	for _, t := range give {
		b := h.lines[t]
		for _, c := range b.children {
			if c.dropped {
				continue
			}
			continued, err := h.continues(ctx, c)
			if err != nil {
				return nil, err
			}
			if continued {
				return nil, fmt.Errorf("%s: store %v: timeline %v is no tip: timeline %v goes on from it; what only it needs goes without being dropped",
					h.a.target.URL(), h.store, t, c.id)
			}
		}
	}
	return drops, nil
}
