package archiver

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/varve-db/varve/segment"
)

// shelf is the tree of a store as a restore looks at it: what prune may be deleting
// is not there.
type shelf struct{ *tree }

// shelf lists what the archive holds of a store.
func (a *Archive) shelf(ctx context.Context, store segment.UUID) (*shelf, error) {
	t, err := a.tree(ctx, store, func(ctx context.Context, ref segment.Ref) (*segment.Header, error) { return a.Header(ctx, store, ref) })
	if err != nil {
		return nil, err
	}
	n := 0
	for _, b := range t.branches {
		gone := setOf(b.Gone)
		b.Segments = slices.DeleteFunc(b.Segments, func(x Stored) bool { return gone.has(x.Ref) })
		n += len(b.Segments)
	}
	if n == 0 {
		return nil, fmt.Errorf("%s: store %v: no segment of it is there: %w", a.target.URL(), store, ErrNotExist)
	}
	return &shelf{t}, nil
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
	return most
}

// lookParallel is how many headers and footers are read at a time.
const lookParallel = 16

// choose returns the branch of the timeline that is asked for, or the only tip.
func (s *shelf) choose(ctx context.Context, want segment.Timeline) (*branch, error) {
	if want != 0 {
		return s.named(ctx, want)
	}
	if err := s.placeAll(ctx); err != nil {
		return nil, err
	}
	if err := s.findTips(ctx); err != nil {
		return nil, err
	}
	var tips []*branch
	for _, t := range keysOf(s.branches) {
		if b := s.branches[t]; b.tip {
			tips = append(tips, b)
		}
	}
	switch len(tips) {
	case 0:
		return nil, fmt.Errorf("%s: store %v: no log is there of a timeline that was not given up: %w; --timeline T and --backup ID name what is left",
			s.a.target.URL(), s.store, ErrNotExist)
	case 1:
		return tips[0], nil
	}
	e := &ChoiceError{Where: s.a.target.URL(), What: "timelines", How: "--timeline T"}
	for _, b := range tips {
		x, _ := s.stored(b.log.Ref)
		f, err := s.footer(ctx, x)
		if err != nil {
			return nil, err
		}
		e.Choices = append(e.Choices, fmt.Sprintf("%v (up to sequence number %d, %s)", b.id, f.LastSeq, time.Unix(0, f.LastTime).UTC().Format(time.RFC3339)))
	}
	return nil, e
}

// named returns the branch of a timeline that has a log.
func (s *shelf) named(ctx context.Context, t segment.Timeline) (*branch, error) {
	b := s.branches[t]
	if b != nil {
		if h, err := s.newest(ctx, b); h != nil || err != nil {
			return b, err
		}
	}
	return nil, fmt.Errorf("%s: store %v: no log of timeline %v is there: %w", s.a.target.URL(), s.store, t, ErrNotExist)
}

// A Stretch is what a history has of one timeline: everything up to a sequence
// number.
type Stretch struct {
	Timeline segment.Timeline `json:"timeline"`
	To       uint64           `json:"to"`
}

// link is a segment on a lineage, a log or an output.
type link struct {
	Stored
	limit uint64 // the last sequence number that belongs to the lineage
}

// lineage is the history that leads to a log: along its timeline from the
// beginning, along that one's parent up to where it began, and so on.
type lineage struct {
	*shelf
	links     []link    // in order of id, which is that of the history
	stretches []Stretch // the oldest first; the last one is unbounded
}

// lineage returns the history that ends with a log. It costs two headers for each
// timeline.
func (s *shelf) lineage(ctx context.Context, log segment.Ref) (*lineage, error) {
	b, err := s.named(ctx, log.Timeline)
	if err != nil {
		return nil, err
	}
	l := &lineage{shelf: s}
	limit := uint64(math.MaxUint64)
	for seen := map[*branch]bool{}; b != nil && !seen[b]; b = b.parent {
		seen[b] = true
		l.add(b, log.ID, limit)
		if err := s.place(ctx, b); err != nil {
			return nil, err
		}
		_, first, err := s.row(b).first(ctx, 0)
		if err != nil {
			return nil, err
		}
		if p := b.log.Parent; p.Timeline != 0 && (b.parent == nil || b.parent.id != p.Timeline) {
			l.stretches = append(l.stretches, Stretch{p.Timeline, b.log.ParentSeq}) // known by name alone
		}
		log, limit = b.fork, b.forkSeq
		if first != nil && first.Replaced == log {
			log.ID-- // its records are in the log that replaced it
		}
	}
	slices.Reverse(l.links)
	slices.Reverse(l.stretches)
	for i := 1; i < len(l.links); i++ {
		if l.links[i-1].Ref.ID >= l.links[i].Ref.ID {
			return nil, fmt.Errorf("%s: store %v: segments %v and %v cannot be of one history", s.a.target.URL(), s.store, l.links[i-1].Ref, l.links[i].Ref)
		}
	}
	return l, nil
}

// add adds, from the newest back, what a branch has up to an id and a sequence
// number.
func (l *lineage) add(b *branch, to segment.ID, limit uint64) {
	l.stretches = append(l.stretches, Stretch{b.id, limit})
	n, there := find(b.Segments, to)
	if there {
		n++
	}
	for i, x := range slices.Backward(b.Segments[:n]) {
		k := link{x, limit}
		if i < n-1 {
			k.limit = math.MaxUint64 // it ended before
		}
		l.links = append(l.links, k)
	}
}

// row returns the links as a row.
func (l *lineage) row() row {
	return row{l.header, func(i int) segment.Ref { return l.links[i].Ref }, len(l.links)}
}

// keysOf returns the keys of a map in order.
func keysOf[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
