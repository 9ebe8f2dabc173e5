package history

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/segment"
)

// Restorable is the tree of a store as a restore sees it. Segments that prune may be deleting
// count as absent, and so do those that were found damaged.
type Restorable struct {
	*Tree
	drops   []archive.Drop        // tips that were given up
	spoiled map[segment.Ref]error // found damaged; see without
	backup  *archive.Backup       // the newest, once remember was called; one without an id if there is none
}

// newRestorable lists what the archive holds of a store.
func newRestorable(ctx context.Context, a *archive.Archive, store segment.UUID) (*Restorable, error) {
	t, err := NewTree(ctx, a, store, nil, func(ctx context.Context, ref segment.Ref) (*segment.Header, error) {
		h, err := a.Header(ctx, store, ref)
		return h, a.Vanished(err, store, ref)
	})
	if err != nil {
		return nil, err
	}
	plans, err := a.PrunePlans(ctx, store)
	if err != nil {
		return nil, err
	}
	begun, err := a.Begun(ctx, store, plans, 0)
	if err != nil {
		return nil, err
	}
	t.addGone(begun)
	n := 0
	for _, b := range t.Branches {
		gone := segment.SetOf(b.Gone...)
		b.Segments = slices.DeleteFunc(b.Segments, func(x archive.Stored) bool { return gone.Has(x.Ref) })
		n += len(b.Segments)
	}
	if n == 0 {
		return nil, fmt.Errorf("%s: store %v: no segment of it is there: %w", a.Target().URL(), store, target.ErrNotExist)
	}
	return &Restorable{Tree: t, drops: archive.DropsIn(plans)}, nil
}

// stored returns a segment if it is there.
func (s *Restorable) stored(ref segment.Ref) (archive.Stored, bool) {
	b := s.Branches[ref.Timeline]
	if b == nil {
		return archive.Stored{}, false
	}
	i, ok := archive.Find(b.Segments, ref.ID)
	if !ok {
		return archive.Stored{}, false
	}
	return b.Segments[i], true
}

// maxID returns the greatest id in the name of a segment or of a mark of one.
func (s *Restorable) maxID() (most segment.ID) {
	for _, b := range s.Branches {
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
	if s.backup != nil {
		most = max(most, s.backup.Tip.ID)
	}
	return most
}

// choose returns the branch of the timeline that is asked for, or the only tip. A timeline that
// is no tip now may have been one before the archive lost segments. Then hole names what is
// missing, and is the error unless the point accepts an older state.
func (s *Restorable) choose(ctx context.Context, p Point) (b *Branch, hole *MissingError, err error) {
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
	for _, t := range slices.Sorted(maps.Keys(s.Branches)) {
		if b := s.Branches[t]; !b.Tip {
			hole.Missing = merged(hole.Missing, s.beyond(b))
		}
	}
	s.blame(hole)
	switch {
	case len(hole.Missing) > 0 && (!p.AcceptOlder || len(tips) == 0):
		return nil, nil, hole
	case len(tips) == 0:
		return nil, nil, fmt.Errorf("%s: store %v: no log is there of a timeline that was not given up: %w; %s",
			s.A.Target().URL(), s.Store, target.ErrNotExist, NameOne)
	case len(tips) == 1:
		return tips[0], hole, nil
	}
	return nil, nil, s.choice(ctx, tips)
}

// tips places every branch, and returns those that nothing continues, in order of
// timeline.
func (s *Restorable) tips(ctx context.Context) (tips []*Branch, err error) {
	if err := s.PlaceAll(ctx); err != nil {
		return nil, err
	}
	s.GiveUp(s.drops)
	if err := s.FindTips(ctx); err != nil {
		return nil, err
	}
	for _, t := range slices.Sorted(maps.Keys(s.Branches)) {
		if b := s.Branches[t]; b.Tip {
			tips = append(tips, b)
		}
	}
	return tips, nil
}

// choice is the error that lists several tips.
func (s *Restorable) choice(ctx context.Context, tips []*Branch) error {
	e := &archive.ChoiceError{Where: s.A.Target().URL(), What: "timelines"}
	for _, b := range tips {
		x, _ := s.stored(b.Log.Ref)
		f, err := s.Footer(ctx, x)
		if err != nil {
			return err
		}
		e.Choices = append(e.Choices, fmt.Sprintf("%v (up to sequence number %d, %s)", b.Id, f.LastSeq, time.Unix(0, f.LastTime).UTC().Format(time.RFC3339)))
	}
	return e
}

// named returns the branch of a timeline that has a log. The error is a *MissingError
// where it had one.
func (s *Restorable) named(ctx context.Context, t segment.Timeline) (*Branch, error) {
	b := s.Branches[t]
	if b != nil {
		if h, err := s.newest(ctx, b); h != nil || err != nil {
			return b, err
		}
		if lost := s.beyond(b); len(lost) > 0 {
			return nil, s.hole(Point{Timeline: t}, lost)
		}
	}
	return nil, fmt.Errorf("%s: store %v: no log of timeline %v is there: %w", s.A.Target().URL(), s.Store, t, target.ErrNotExist)
}
