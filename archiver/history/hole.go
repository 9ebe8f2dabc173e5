package history

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/segment"
)

// A hole is what an archive once held and cannot give any more: a segment that is not there, or
// that cannot be read. A state behind a hole cannot be restored; a state before it is older than
// what was asked for. So either a plan needs nothing that is missing, or it is an error that
// names the hole. A caller accepts the older state by Point.AcceptOlder.

// without returns the Restorable in which a segment counts as missing, since it was found
// damaged: err says which and how. ok is false for any other error.
func (s *Restorable) without(err error) (next *Restorable, ok bool) {
	bad, ok := errors.AsType[*segment.CorruptError](err)
	if !ok || errors.Is(err, ErrIncomplete) {
		return nil, false
	}
	if _, there := s.stored(bad.Segment); !there {
		return nil, false
	}
	t := *s.Tree
	t.Branches = map[segment.Timeline]*Branch{}
	for id, b := range s.Branches {
		c := *b.Contents
		if id == bad.Segment.Timeline {
			c.Segments = slices.DeleteFunc(slices.Clone(c.Segments), func(x archive.Stored) bool { return x.Ref == bad.Segment })
		}
		t.Branches[id] = &Branch{Contents: &c, Id: id}
	}
	next = &Restorable{Tree: &t, drops: s.drops, backup: s.backup, spoiled: maps.Clone(s.spoiled)}
	if next.spoiled == nil {
		next.spoiled = map[segment.Ref]error{}
	}
	named := *bad
	named.Next = "" // the hole says it
	next.spoiled[bad.Segment] = &named
	return next, true
}

// remember reads the newest backup, whose newest log the archive once held. A timeline that only
// a backup names has a branch from then on. A backup that cannot be read is ignored.
func (s *Restorable) remember(ctx context.Context) error {
	if s.backup != nil {
		return nil
	}
	b, err := s.A.Previous(ctx, s.Store)
	if err != nil {
		return err
	}
	s.backup = b
	if t := b.Tip.Timeline; t != 0 && s.Branches[t] == nil {
		s.Branches[t] = &Branch{Contents: &archive.Contents{}, Id: t}
	}
	return nil
}

// beyond returns, in order, what the archive once held of a branch behind the newest log that
// it can read: the newest state of the timeline is lost. What prune deleted does not count,
// nor does a gap that was accepted.
func (s *Restorable) beyond(b *Branch) (refs []segment.Ref) {
	lost := slices.Collect(maps.Keys(s.spoiled))
	if s.backup != nil {
		lost = append(lost, s.lacking([]segment.Ref{s.backup.Tip})...)
	}
	for _, ref := range merged(lost, nil) {
		behind := ref.Timeline == b.Id && (b.Log == nil || ref.ID > b.Log.Ref.ID)
		if behind && !s.givenUp(ref) && !archive.HasRef(b.Gone, ref) && !archive.HasRef(b.Gaps, ref) {
			refs = append(refs, ref)
		}
	}
	return refs
}

// givenUp reports whether a segment belongs to a tip that was given up, as it was then.
func (s *Restorable) givenUp(ref segment.Ref) bool {
	return slices.ContainsFunc(s.drops, func(d archive.Drop) bool { return d.Timeline == ref.Timeline && ref.ID <= d.Newest })
}

// pruned reports whether a marker says that prune deletes, or has deleted, a segment.
func (s *Restorable) pruned(ref segment.Ref) bool {
	b := s.Branches[ref.Timeline]
	return b != nil && archive.HasRef(b.Gone, ref)
}

// hole returns the error for segments that a point needs.
func (s *Restorable) hole(p Point, missing []segment.Ref) *MissingError {
	e := &MissingError{Where: s.A.Target().URL(), Store: s.Store, Point: p, Missing: missing}
	s.blame(e)
	return e
}

// blame adds to an error which of its segments are damaged.
func (s *Restorable) blame(e *MissingError) {
	e.Damage = nil
	for _, ref := range e.Missing {
		if err := s.spoiled[ref]; err != nil {
			e.Damage = append(e.Damage, err)
		}
	}
}

// empty reports whether nothing is missing.
func (e *MissingError) empty() bool { return len(e.Missing) == 0 && e.Between[0] == segment.Ref{} }

// add takes over what another error names.
func (e *MissingError) add(o *MissingError) {
	e.Missing = merged(e.Missing, o.Missing)
	if e.Between[0] == (segment.Ref{}) {
		e.Between = o.Between
	}
}

// complete plans the newest complete state of the first n links, and adds to hole what a newer
// state lacks. If it lacks something, the plan is the answer only if p accepts that.
func (l *lineage) complete(ctx context.Context, p Point, hole *MissingError, n int) (*Plan, error) {
	for {
		i, _, err := l.logs().Last(ctx, 0, n)
		if err != nil {
			return nil, err
		}
		if i < 0 {
			l.blame(hole)
			return nil, hole
		}
		at, err := l.end(ctx, i)
		var set []segment.Ref
		if err == nil {
			set, err = l.base(ctx, at)
		}
		if e, ok := errors.AsType[*MissingError](err); ok {
			hole.add(e)
			n = l.before(e, i)
			continue
		}
		if errors.Is(err, ErrNoPoint) { // the history has nothing of that log
			n = i
			continue
		}
		if err != nil {
			return nil, err
		}
		plan, err := l.plan(at, set)
		if err != nil || hole.empty() {
			return plan, err
		}
		l.explain(plan, hole)
		if !p.AcceptOlder {
			return nil, hole
		}
		return plan, nil
	}
}

// explain notes in the plan what was missing, and in the error the state that the plan is for.
func (l *lineage) explain(plan *Plan, hole *MissingError) {
	l.blame(hole)
	hole.Newest = &Moment{plan.Timeline, plan.Seq, plan.Time}
	plan.Hole, plan.Held = hole, hole.Missing
}

// before returns how many links do not need what an error names, at most i: at link i it was
// found. Every log after the first missing segment needs that segment.
func (l *lineage) before(e *MissingError, i int) int {
	id := e.Between[0].ID + 1
	if e.Between[0] == (segment.Ref{}) {
		id = e.Missing[0].ID
	}
	n, _ := slices.BinarySearchFunc(l.links, id, func(k link, id segment.ID) int { return cmp.Compare(k.Ref.ID, id) })
	return min(n, i)
}
