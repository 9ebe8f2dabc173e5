package history

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/internal/parallel"
	"github.com/varve-db/varve/archiver/internal/sealed"
	"github.com/varve-db/varve/segment"
)

// Tree is what an archive holds of a store, and how its timelines go on from each other.
// Restores and prune both rely on it.
type Tree struct {
	A        *archive.Archive
	Store    segment.UUID
	Branches map[segment.Timeline]*Branch
	Header   func(context.Context, segment.Ref) (*segment.Header, error)
}

// Branch is one timeline of a tree. The fields after Contents are set by newest, place and
// FindTips.
type Branch struct {
	*archive.Contents
	Id segment.Timeline

	Log    *segment.Header // the newest; nil if no log is there
	looked bool            // for the newest log

	placed   bool        // the parent was looked for
	Parent   *Branch     // that it began on; nil if no log of it is there
	Fork     segment.Ref // the log of the parent where it began
	forkSeq  uint64      // the last sequence number taken over
	children []*Branch   // that begin on it

	last    uint64 // the last sequence number, if it was needed
	Dropped bool   // given up: its newest state counts no more
	End     bool   // no branch that was not given up continues its last record
	Tip     bool   // likewise, and it was not given up itself
}

// NewTree lists what the archive holds of a store, in the parts that cuts makes: see
// archive.Archive.Cuts. header reads a header of the store.
func NewTree(ctx context.Context, a *archive.Archive, store segment.UUID, cuts []string, header func(context.Context, segment.Ref) (*segment.Header, error)) (*Tree, error) {
	all, err := a.AllContents(ctx, store, cuts)
	if err != nil {
		return nil, err
	}
	t := &Tree{A: a, Store: store, Branches: map[segment.Timeline]*Branch{}, Header: header}
	for id, c := range all {
		t.Branches[id] = &Branch{Contents: c, Id: id}
	}
	return t, nil
}

// addGone adds segments to what is marked as gone.
func (t *Tree) addGone(set segment.Set) {
	for ref := range set.All() {
		b := t.Branches[ref.Timeline]
		if b == nil {
			b = &Branch{Contents: &archive.Contents{}, Id: ref.Timeline}
			t.Branches[ref.Timeline] = b
		}
		if i, marked := slices.BinarySearchFunc(b.Gone, ref, segment.Ref.Compare); !marked {
			b.Gone = slices.Insert(b.Gone, i, ref)
		}
	}
}

// GiveUp gives up tips, but for those that went on since. The newest logs must be known.
func (t *Tree) GiveUp(drops []archive.Drop) {
	for _, d := range drops {
		b := t.Branches[d.Timeline]
		if b == nil || b.Log != nil && b.Log.Ref.ID > d.Newest {
			continue
		}
		if n := len(b.Segments); b.Log == nil && n > 0 && b.Segments[n-1].Ref.ID > d.Newest {
			continue // its log is still to come
		}
		b.Dropped = true
	}
}

// Logs returns the segments of a branch.
func (t *Tree) Logs(b *Branch) Logs { return LogsOf(b.Segments, t.Header) }

// newest returns the header of the newest log of a branch; nil if there is none.
func (t *Tree) newest(ctx context.Context, b *Branch) (*segment.Header, error) {
	if b.looked {
		return b.Log, nil
	}
	_, h, err := t.Logs(b).Last(ctx, 0, len(b.Segments))
	b.Log, b.looked = h, err == nil
	return h, err
}

// place finds the branch that b began on. The headers of b name it. If the parent has no log, a
// crash ended it before it had one to ship. Then b began on the branch of the newest log that
// was in the store at that time, and took over all of that log.
func (t *Tree) place(ctx context.Context, b *Branch) error {
	if b.placed {
		return nil
	}
	newest, err := t.newest(ctx, b)
	if err != nil {
		return err
	}
	if newest == nil || newest.Parent == (segment.Ref{}) {
		b.placed = true
		return nil
	}
	if p := t.Branches[newest.Parent.Timeline]; p != nil && p != b {
		if h, err := t.newest(ctx, p); err != nil {
			return err
		} else if h != nil {
			b.Parent, b.Fork, b.forkSeq = p, newest.Parent, newest.ParentSeq
		}
	}
	if b.Parent == nil {
		if err := t.findBase(ctx, b); err != nil {
			return err
		}
	}
	b.placed = true
	return nil
}

// findBase finds what the oldest log of b builds on where b's parent has no log.
func (t *Tree) findBase(ctx context.Context, b *Branch) error {
	_, first, err := t.Logs(b).First(ctx, 0)
	if err != nil {
		return err
	}
	for _, ref := range slices.Backward(slices.Collect(first.Live.Union(first.Retired).All())) {
		p := t.Branches[ref.Timeline]
		if p == nil || p == b {
			continue
		}
		i, there := archive.Find(p.Segments, ref.ID)
		if !there {
			continue
		}
		h, err := t.Header(ctx, ref)
		if err != nil {
			return err
		}
		if h.Kind != segment.Log {
			continue
		}
		f, err := t.Footer(ctx, p.Segments[i])
		if err != nil {
			return err
		}
		b.Parent, b.Fork, b.forkSeq = p, ref, f.LastSeq
		return nil
	}
	return nil
}

// Footer returns the footer of a segment, with its name in the error.
func (t *Tree) Footer(ctx context.Context, s archive.Stored) (*segment.Footer, error) {
	f, err := t.A.Footer(ctx, t.Store, s)
	err = t.A.Vanished(t.A.Damaged(sealed.Footless(err, s.Ref, s.Size), archive.SegmentName(t.Store, s.Ref), s.Ref), t.Store, s.Ref)
	if err != nil {
		err = fmt.Errorf("%s: %w", t.A.At(archive.SegmentName(t.Store, s.Ref)), err)
	}
	return f, err
}

// PlaceAll places every branch, and adds each to the children of its parent.
func (t *Tree) PlaceAll(ctx context.Context) error {
	all := slices.Sorted(maps.Keys(t.Branches))
	err := parallel.Each(ctx, parallel.Looks, len(all), func(ctx context.Context, i int) error {
		_, err := t.newest(ctx, t.Branches[all[i]])
		return err
	})
	if err != nil {
		return err
	}
	err = parallel.Each(ctx, parallel.Looks, len(all), func(ctx context.Context, i int) error {
		return t.place(ctx, t.Branches[all[i]])
	})
	for _, id := range all {
		if b := t.Branches[id]; b.Parent != nil {
			b.Parent.children = append(b.Parent.children, b)
		}
	}
	return err
}

// FindTips finds out which branches are tips, once all are placed.
func (t *Tree) FindTips(ctx context.Context) error {
	all := slices.Sorted(maps.Keys(t.Branches))
	return parallel.Each(ctx, parallel.Looks, len(all), func(ctx context.Context, i int) error {
		b := t.Branches[all[i]]
		b.End, b.Tip = false, false
		if b.Log == nil {
			return nil
		}
		c, err := t.Continuation(ctx, b)
		b.End = c == nil
		b.Tip = b.End && !b.Dropped
		return err
	})
}

// Continuation returns a branch that was not given up and begins at or after the
// last record of b; nil if there is none.
func (t *Tree) Continuation(ctx context.Context, b *Branch) (*Branch, error) {
	for _, c := range b.children {
		if c.Dropped {
			continue
		}
		if c.Fork.ID > b.Log.Ref.ID {
			return c, nil // c took over all that the archive has of b
		}
		if b.Log.FirstSeq > c.forkSeq+1 {
			continue
		}
		last, err := t.lastSeq(ctx, b)
		if err != nil || last <= c.forkSeq {
			return c, err
		}
	}
	return nil, nil
}

// lastSeq returns the last sequence number of a branch that has a log.
func (t *Tree) lastSeq(ctx context.Context, b *Branch) (uint64, error) {
	if b.last == 0 {
		i, _ := archive.Find(b.Segments, b.Log.Ref.ID)
		f, err := t.Footer(ctx, b.Segments[i])
		if err != nil {
			return 0, err
		}
		b.last = f.LastSeq
	}
	return b.last, nil
}

// From returns the segments of a branch with ids from first to last.
func (b *Branch) From(first, last segment.ID) segment.Set {
	return b.those(func(s archive.Stored) bool { return s.Ref.ID >= first && s.Ref.ID <= last })
}

// StoredSince returns the segments with ids up to last that were stored since a moment. It
// returns none if begin, the start of the window, is zero. Logs in the window may adopt outputs
// that were made before it.
func (b *Branch) StoredSince(moment, begin time.Time, last segment.ID) segment.Set {
	return b.those(func(s archive.Stored) bool { return !begin.IsZero() && s.Ref.ID <= last && s.Modified.After(moment) })
}

// those returns the segments of a branch for which test holds.
func (b *Branch) those(test func(archive.Stored) bool) segment.Set {
	var refs []segment.Ref
	for _, s := range b.Segments {
		if test(s) {
			refs = append(refs, s.Ref)
		}
	}
	return segment.SetOf(refs...)
}
