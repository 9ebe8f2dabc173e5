package archiver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/varve-db/varve/segment"
)

// shelf is the tree of a store as a restore looks at it: what prune may be deleting
// is not there, and neither is what was found damaged.
type shelf struct {
	*tree
	drops   []Drop                // tips that were given up
	spoiled map[segment.Ref]error // found damaged; see without
	seen    *Backup               // the newest, once remember was called; one without an id if there is none
}

// newShelf lists what the archive holds of a store.
func newShelf(ctx context.Context, a *Archive, store segment.UUID) (*shelf, error) {
	t, err := newTree(ctx, a, store, nil, func(ctx context.Context, ref segment.Ref) (*segment.Header, error) {
		h, err := a.Header(ctx, store, ref)
		return h, a.vanished(err, store, ref)
	})
	if err != nil {
		return nil, err
	}
	plans, err := a.prunePlans(ctx, store)
	if err != nil {
		return nil, err
	}
	begun, err := a.begun(ctx, store, plans, 0)
	if err != nil {
		return nil, err
	}
	t.addGone(begun)
	n := 0
	for _, b := range t.branches {
		gone := setOf(b.Gone)
		b.Segments = slices.DeleteFunc(b.Segments, func(x Stored) bool { return gone.has(x.Ref) })
		n += len(b.Segments)
	}
	if n == 0 {
		return nil, fmt.Errorf("%s: store %v: no segment of it is there: %w", a.target.URL(), store, ErrNotExist)
	}
	return &shelf{tree: t, drops: dropsIn(plans)}, nil
}

// stored returns a segment if it is there.
func (s *shelf) stored(ref segment.Ref) (Stored, bool) {
	b := s.branches[ref.Timeline]
	if b == nil {
		return Stored{}, false
	}
	i, ok := find(b.Segments, ref.ID)
	if !ok {
		return Stored{}, false
	}
	return b.Segments[i], true
}

// maxID returns the greatest id in the name of a segment or of a mark of one.
func (s *shelf) maxID() (most segment.ID) {
	for _, b := range s.branches {
		if n := len(b.Segments); n > 0 {
			most = max(most, b.Segments[n-1].Ref.ID)
		}
		for _, marks := range [][]segment.Ref{b.Gone, b.Gaps} {
			if n := len(marks); n > 0 {
				most = max(most, marks[n-1].ID)
			}
		}
	}
	for ref := range s.spoiled {
		most = max(most, ref.ID)
	}
	if s.seen != nil {
		most = max(most, s.seen.Tip.ID)
	}
	return most
}

// choose returns the branch of the timeline that is asked for, or the only tip. Where a
// timeline that is none may have been one, had the archive all that it held, hole names what
// is missing, and is the error unless the point accepts that.
func (s *shelf) choose(ctx context.Context, p Point) (b *branch, hole *MissingError, err error) {
	hole = s.hole(p, nil)
	if p.Timeline != 0 {
		b, err = s.named(ctx, p.Timeline)
		if e, ok := errors.AsType[*MissingError](err); ok {
			e.Point = p
		}
		return b, hole, err
	}
	tips, err := s.tips(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, t := range slices.Sorted(maps.Keys(s.branches)) {
		if b := s.branches[t]; !b.tip {
			hole.Missing = merged(hole.Missing, s.beyond(b))
		}
	}
	s.blame(hole)
	switch {
	case len(hole.Missing) > 0 && (!p.AcceptOlder || len(tips) == 0):
		return nil, nil, hole
	case len(tips) == 0:
		return nil, nil, fmt.Errorf("%s: store %v: no log is there of a timeline that was not given up: %w; --timeline T and --backup ID name what is left",
			s.a.target.URL(), s.store, ErrNotExist)
	case len(tips) == 1:
		return tips[0], hole, nil
	}
	return nil, nil, s.choice(ctx, tips)
}

// tips places every branch, and returns those that nothing continues, in order of
// timeline.
func (s *shelf) tips(ctx context.Context) (tips []*branch, err error) {
	if err := s.placeAll(ctx); err != nil {
		return nil, err
	}
	s.giveUp(s.drops)
	if err := s.findTips(ctx); err != nil {
		return nil, err
	}
	for _, t := range slices.Sorted(maps.Keys(s.branches)) {
		if b := s.branches[t]; b.tip {
			tips = append(tips, b)
		}
	}
	return tips, nil
}

// choice is the error that lists several tips.
func (s *shelf) choice(ctx context.Context, tips []*branch) error {
	e := &ChoiceError{Where: s.a.target.URL(), What: "timelines", How: "--timeline T"}
	for _, b := range tips {
		x, _ := s.stored(b.log.Ref)
		f, err := s.footer(ctx, x)
		if err != nil {
			return err
		}
		e.Choices = append(e.Choices, fmt.Sprintf("%v (up to sequence number %d, %s)", b.id, f.LastSeq, time.Unix(0, f.LastTime).UTC().Format(time.RFC3339)))
	}
	return e
}

// named returns the branch of a timeline that has a log. The error is a *MissingError
// where it had one.
func (s *shelf) named(ctx context.Context, t segment.Timeline) (*branch, error) {
	b := s.branches[t]
	if b != nil {
		if h, err := s.newest(ctx, b); h != nil || err != nil {
			return b, err
		}
		if lost := s.beyond(b); len(lost) > 0 {
			return nil, s.hole(Point{Timeline: t}, lost)
		}
	}
	return nil, fmt.Errorf("%s: store %v: no log of timeline %v is there: %w", s.a.target.URL(), s.store, t, ErrNotExist)
}
