package history

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/segment"
)

// A Stretch is the part of a history on one timeline: everything up to a sequence number.
type Stretch struct {
	Timeline segment.Timeline `json:"timeline"`
	To       uint64           `json:"to"`
}

// link is a segment on a lineage, a log or an output.
type link struct {
	archive.Stored
	limit uint64 // the last sequence number that belongs to the lineage
}

// lineage is the history that leads to a log: along its timeline back to where that began,
// then along the parent's, and so on.
type lineage struct {
	*Restorable
	links     []link    // in order of id, which is that of the history
	stretches []Stretch // the oldest first; the last one is unbounded
}

// lineage returns the history that ends with a log. It costs two headers for each
// timeline.
func (s *Restorable) lineage(ctx context.Context, log segment.Ref) (*lineage, error) {
	b, err := s.named(ctx, log.Timeline)
	if err != nil {
		return nil, err
	}
	l := &lineage{Restorable: s}
	limit := uint64(math.MaxUint64)
	for seen := map[*Branch]bool{}; b != nil && !seen[b]; b = b.Parent {
		seen[b] = true
		l.add(b, log.ID, limit)
		if err := s.place(ctx, b); err != nil {
			return nil, err
		}
		_, first, err := s.Logs(b).First(ctx, 0)
		if err != nil {
			return nil, err
		}
		if p := b.Log.Parent; p.Timeline != 0 && (b.Parent == nil || b.Parent.Id != p.Timeline) {
			l.stretches = append(l.stretches, Stretch{p.Timeline, b.Log.ParentSeq}) // known by name alone
		}
		log, limit = b.Fork, b.forkSeq
		if first != nil && first.Replaced == log {
			log.ID-- // its records are in the log that replaced it
		}
	}
	slices.Reverse(l.links)
	slices.Reverse(l.stretches)
	for i := 1; i < len(l.links); i++ {
		if l.links[i-1].Ref.ID >= l.links[i].Ref.ID {
			return nil, fmt.Errorf("%s: store %v: segments %v and %v cannot be of one history", s.A.Target().URL(), s.Store, l.links[i-1].Ref, l.links[i].Ref)
		}
	}
	return l, nil
}

// add adds, from the newest back, what a branch has up to an id and a sequence
// number.
func (l *lineage) add(b *Branch, to segment.ID, limit uint64) {
	l.stretches = append(l.stretches, Stretch{b.Id, limit})
	n, there := archive.Find(b.Segments, to)
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

// logs returns the links as Logs.
func (l *lineage) logs() Logs {
	return Logs{l.Header, func(i int) segment.Ref { return l.links[i].Ref }, len(l.links)}
}
