package archiver

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/varve-db/varve/segment"
)

// tree is what an archive holds of a store, and how its timelines go on from each
// other. What can be restored and what prune keeps both go by it.
type tree struct {
	a        *Archive
	store    segment.UUID
	branches map[segment.Timeline]*branch
	header   func(context.Context, segment.Ref) (*segment.Header, error)
}

// branch is one timeline of a tree. What follows Contents is known once it was asked
// for: see newest, place and findTips.
type branch struct {
	*Contents
	id segment.Timeline

	log    *segment.Header // the newest; nil if no log is there
	looked bool            // for the newest log

	placed   bool        // the parent was looked for
	parent   *branch     // that it began on; nil if no log of it is there
	fork     segment.Ref // the log of the parent where it began
	forkSeq  uint64      // the last sequence number taken over
	children []*branch   // that begin on it

	last    uint64 // the last sequence number, if it was needed
	dropped bool   // given up: its newest state counts no more
	end     bool   // no branch that was not given up continues its last record
	tip     bool   // likewise, and it was not given up itself
}

// newTree lists what the archive holds of a store, in parts: see cuts. header reads a header
// of it.
func newTree(ctx context.Context, a *Archive, store segment.UUID, cuts []string, header func(context.Context, segment.Ref) (*segment.Header, error)) (*tree, error) {
	all, err := a.allContents(ctx, store, cuts)
	if err != nil {
		return nil, err
	}
	t := &tree{a: a, store: store, branches: map[segment.Timeline]*branch{}, header: header}
	for id, c := range all {
		t.branches[id] = &branch{Contents: c, id: id}
	}
	return t, nil
}

// addGone adds segments to what is marked as gone.
func (t *tree) addGone(set *refSet) {
	for ref := range set.refs() {
		b := t.branches[ref.Timeline]
		if b == nil {
			b = &branch{Contents: &Contents{}, id: ref.Timeline}
			t.branches[ref.Timeline] = b
		}
		if i, marked := slices.BinarySearchFunc(b.Gone, ref, segment.Ref.Compare); !marked {
			b.Gone = slices.Insert(b.Gone, i, ref)
		}
	}
}

// giveUp gives up tips, but for those that went on since. The newest logs must be known.
func (t *tree) giveUp(drops []Drop) {
	for _, d := range drops {
		b := t.branches[d.Timeline]
		if b == nil || b.log != nil && b.log.Ref.ID > d.Newest {
			continue
		}
		if n := len(b.Segments); b.log == nil && n > 0 && b.Segments[n-1].Ref.ID > d.Newest {
			continue // its log is still to come
		}
		b.dropped = true
	}
}

// row returns the segments of a branch.
func (t *tree) row(b *branch) row { return rowOf(b.Segments, t.header) }

// newest returns the header of the newest log of a branch; nil if there is none.
func (t *tree) newest(ctx context.Context, b *branch) (*segment.Header, error) {
	if b.looked {
		return b.log, nil
	}
	_, h, err := t.row(b).last(ctx, 0, len(b.Segments))
	b.log, b.looked = h, err == nil
	return h, err
}

// place finds the branch that b began on. Of the one that its headers name there may
// be no log: it ended, by a crash, before it had one to ship. Then it is the
// branch with the newest log that was in the store when b began; all of that log was
// taken over.
func (t *tree) place(ctx context.Context, b *branch) error {
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
	if p := t.branches[newest.Parent.Timeline]; p != nil && p != b {
		if h, err := t.newest(ctx, p); err != nil {
			return err
		} else if h != nil {
			b.parent, b.fork, b.forkSeq = p, newest.Parent, newest.ParentSeq
		}
	}
	if b.parent == nil {
		if err := t.bridge(ctx, b); err != nil {
			return err
		}
	}
	b.placed = true
	return nil
}

// bridge finds what the oldest log of b builds on where no log of b's parent is
// there.
func (t *tree) bridge(ctx context.Context, b *branch) error {
	_, first, err := t.row(b).first(ctx, 0)
	if err != nil {
		return err
	}
	for _, ref := range slices.Backward(slices.Collect(first.Live.Union(first.Retired).All())) {
		p := t.branches[ref.Timeline]
		if p == nil || p == b {
			continue
		}
		i, there := find(p.Segments, ref.ID)
		if !there {
			continue
		}
		h, err := t.header(ctx, ref)
		if err != nil {
			return err
		}
		if h.Kind != segment.Log {
			continue
		}
		f, err := t.footer(ctx, p.Segments[i])
		if err != nil {
			return err
		}
		b.parent, b.fork, b.forkSeq = p, ref, f.LastSeq
		return nil
	}
	return nil
}

// footer returns the footer of a segment, with its name in the error.
func (t *tree) footer(ctx context.Context, s Stored) (*segment.Footer, error) {
	f, err := t.a.Footer(ctx, t.store, s)
	err = t.a.vanished(t.a.damaged(footless(err, s.Ref, s.Size), segmentName(t.store, s.Ref), s.Ref), t.store, s.Ref)
	if err != nil {
		err = fmt.Errorf("%s: %w", t.a.at(segmentName(t.store, s.Ref)), err)
	}
	return f, err
}

// placeAll places every branch, and tells the parents of their children.
func (t *tree) placeAll(ctx context.Context) error {
	all := slices.Sorted(maps.Keys(t.branches))
	err := fanOut(ctx, lookParallel, len(all), func(ctx context.Context, i int) error {
		_, err := t.newest(ctx, t.branches[all[i]])
		return err
	})
	if err != nil {
		return err
	}
	err = fanOut(ctx, lookParallel, len(all), func(ctx context.Context, i int) error {
		return t.place(ctx, t.branches[all[i]])
	})
	for _, id := range all {
		if b := t.branches[id]; b.parent != nil {
			b.parent.children = append(b.parent.children, b)
		}
	}
	return err
}

// findTips finds out which branches are tips, once all are placed.
func (t *tree) findTips(ctx context.Context) error {
	all := slices.Sorted(maps.Keys(t.branches))
	return fanOut(ctx, lookParallel, len(all), func(ctx context.Context, i int) error {
		b := t.branches[all[i]]
		b.end, b.tip = false, false
		if b.log == nil {
			return nil
		}
		c, err := t.continuation(ctx, b)
		b.end = c == nil
		b.tip = b.end && !b.dropped
		return err
	})
}

// continuation returns a branch that was not given up and begins at or after the
// last record of b; nil if there is none.
func (t *tree) continuation(ctx context.Context, b *branch) (*branch, error) {
	for _, c := range b.children {
		if c.dropped {
			continue
		}
		if c.fork.ID > b.log.Ref.ID {
			return c, nil // all that is here of b was taken over
		}
		if b.log.FirstSeq > c.forkSeq+1 {
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
func (t *tree) lastSeq(ctx context.Context, b *branch) (uint64, error) {
	if b.last == 0 {
		i, _ := find(b.Segments, b.log.Ref.ID)
		f, err := t.footer(ctx, b.Segments[i])
		if err != nil {
			return 0, err
		}
		b.last = f.LastSeq
	}
	return b.last, nil
}

// lookParallel is how many headers and footers are read at a time.
const lookParallel = 16
