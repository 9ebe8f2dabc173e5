package archiver

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/varve-db/varve/segment"
)

// shelf is what an archive holds of one store, by one listing of names.
type shelf struct {
	a     *Archive
	uuid  segment.UUID
	segs  map[segment.Timeline][]Stored // in order of id, without those that prune may be deleting
	gone  map[segment.Ref]bool          // those that prune deletes, or has deleted
	maxID segment.ID                    // the greatest in any name
}

// shelf lists what the archive holds of a store.
func (a *Archive) shelf(ctx context.Context, uuid segment.UUID) (*shelf, error) {
	s := &shelf{a: a, uuid: uuid, segs: map[segment.Timeline][]Stored{}, gone: map[segment.Ref]bool{}}
	for info, err := range a.target.List(ctx, uuid.String()+"/", "") {
		if err != nil {
			return nil, err
		}
		_, ref, ext, ok := parseRefName(info.Name)
		if !ok {
			continue
		}
		s.maxID = max(s.maxID, ref.ID)
		switch ext {
		case "seg":
			s.segs[ref.Timeline] = append(s.segs[ref.Timeline], Stored{ref, info.Size, info.Modified})
		case "gone":
			s.gone[ref] = true
		}
	}
	for t, segs := range s.segs {
		s.segs[t] = slices.DeleteFunc(segs, func(x Stored) bool { return s.gone[x.Ref] })
		if len(s.segs[t]) == 0 {
			delete(s.segs, t)
		}
	}
	if len(s.segs) == 0 {
		return nil, fmt.Errorf("%s: store %v: no segment of it is there: %w", a.target.URL(), uuid, ErrNotExist)
	}
	return s, nil
}

// stored returns a segment if it is there.
func (s *shelf) stored(ref segment.Ref) (Stored, bool) {
	segs := s.segs[ref.Timeline]
	i, ok := find(segs, ref.ID)
	if !ok {
		return Stored{}, false
	}
	return segs[i], true
}

func (s *shelf) header(ctx context.Context, ref segment.Ref) (*segment.Header, error) {
	return s.a.Header(ctx, s.uuid, ref)
}

func (s *shelf) footer(ctx context.Context, x Stored) (*segment.Footer, error) {
	return s.a.Footer(ctx, s.uuid, x)
}

// lookParallel is how many headers and footers are read at a time.
const lookParallel = 16

// tip is a timeline with the newest log that the archive holds of it.
type tip struct {
	timeline segment.Timeline
	log      Stored
	hdr      *segment.Header
	last     uint64 // sequence number
	time     time.Time
}

// newestLog returns the newest log of a timeline, if it has one.
func (s *shelf) newestLog(ctx context.Context, t segment.Timeline) (x Stored, h *segment.Header, err error) {
	for _, x := range slices.Backward(s.segs[t]) {
		if h, err = s.header(ctx, x.Ref); err != nil || h.Kind == segment.Log {
			return x, h, err
		}
	}
	return Stored{}, nil, nil
}

// tips returns every timeline with its newest log, and which of them no other
// one continues, in order of timeline.
func (s *shelf) tips(ctx context.Context) (all map[segment.Timeline]*tip, open []*tip, err error) {
	all = map[segment.Timeline]*tip{}
	var mu sync.Mutex
	timelines := keysOf(s.segs)
	err = fanOut(ctx, lookParallel, len(timelines), func(ctx context.Context, i int) error {
		t := timelines[i]
		x, h, err := s.newestLog(ctx, t)
		if err != nil || h == nil {
			return err
		}
		f, err := s.footer(ctx, x)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		all[t] = &tip{t, x, h, f.LastSeq, time.Unix(0, f.LastTime)}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	continued := map[segment.Timeline]bool{}
	for _, t := range all {
		if p := all[t.hdr.Parent.Timeline]; p != nil && t.hdr.ParentSeq >= p.last {
			continued[p.timeline] = true
		}
	}
	for _, t := range all {
		if !continued[t.timeline] {
			open = append(open, t)
		}
	}
	slices.SortFunc(open, func(a, b *tip) int { return cmp.Compare(a.timeline, b.timeline) })
	return all, open, nil
}

// choose returns the newest log of the timeline that is asked for, or of the only
// one that nothing continues.
func (s *shelf) choose(ctx context.Context, want segment.Timeline) (*tip, error) {
	if want != 0 {
		x, h, err := s.newestLog(ctx, want)
		if err == nil && h == nil {
			err = fmt.Errorf("%s: store %v: no log of timeline %v is there: %w", s.a.target.URL(), s.uuid, want, ErrNotExist)
		}
		if err != nil {
			return nil, err
		}
		return &tip{timeline: want, log: x, hdr: h}, nil
	}
	_, open, err := s.tips(ctx)
	switch {
	case err != nil:
		return nil, err
	case len(open) == 0:
		return nil, fmt.Errorf("%s: store %v: no log of it is there: %w", s.a.target.URL(), s.uuid, ErrNotExist)
	case len(open) == 1:
		return open[0], nil
	}
	e := &ChoiceError{Where: s.a.target.URL(), What: "timelines", How: "--timeline T"}
	for _, t := range open {
		e.Choices = append(e.Choices, fmt.Sprintf("%v (up to sequence number %d, %s)", t.timeline, t.last, t.time.UTC().Format(time.RFC3339)))
	}
	return nil, e
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
	l := &lineage{shelf: s}
	at, limit := log, uint64(math.MaxUint64) // up to this log and number
	for seen := map[segment.Timeline]bool{}; at.Timeline != 0 && !seen[at.Timeline]; {
		seen[at.Timeline] = true
		l.stretches = append(l.stretches, Stretch{at.Timeline, limit})
		segs := s.segs[at.Timeline]
		if len(segs) == 0 {
			break // known by name alone
		}
		n, there := find(segs, at.ID)
		if there {
			n++
		}
		for i, x := range slices.Backward(segs[:n]) {
			k := link{x, limit}
			if i < n-1 {
				k.limit = math.MaxUint64 // it ended before
			}
			l.links = append(l.links, k)
		}
		first, h, err := s.firstLog(ctx, segs)
		if err != nil || h == nil {
			return nil, cmp.Or(err, fmt.Errorf("%s: store %v: no log of timeline %v is there: %w", s.a.target.URL(), s.uuid, at.Timeline, ErrNotExist))
		}
		at, limit = h.Parent, h.ParentSeq
		if h.Parent != (segment.Ref{}) && h.Replaced == h.Parent && first {
			at.ID-- // its records are in the log that replaced it
		}
	}
	slices.Reverse(l.links)
	slices.Reverse(l.stretches)
	for i := 1; i < len(l.links); i++ {
		if l.links[i-1].Ref.ID >= l.links[i].Ref.ID {
			return nil, fmt.Errorf("%s: store %v: segments %v and %v cannot be of one history", s.a.target.URL(), s.uuid, l.links[i-1].Ref, l.links[i].Ref)
		}
	}
	return l, nil
}

// firstLog returns the header of the oldest log among segs, and whether it is the
// first that its timeline ever had.
func (s *shelf) firstLog(ctx context.Context, segs []Stored) (first bool, h *segment.Header, err error) {
	for _, x := range segs {
		if h, err = s.header(ctx, x.Ref); err != nil {
			return false, nil, err
		}
		if h.Kind == segment.Log {
			return h.Replaced != (segment.Ref{}), h, nil
		}
	}
	return false, nil, nil
}

// logAt returns the index of the last log among links[from:to], or -1.
func (l *lineage) logAt(ctx context.Context, from, to int) (int, *segment.Header, error) {
	for i := to - 1; i >= from; i-- {
		h, err := l.header(ctx, l.links[i].Ref)
		if err != nil {
			return -1, nil, err
		}
		if h.Kind == segment.Log {
			return i, h, nil
		}
	}
	return -1, nil, nil
}

// nextLog returns the index of the first log among links[from:], or -1.
func (l *lineage) nextLog(ctx context.Context, from int) (int, *segment.Header, error) {
	for i := from; i < len(l.links); i++ {
		h, err := l.header(ctx, l.links[i].Ref)
		if err != nil {
			return -1, nil, err
		}
		if h.Kind == segment.Log {
			return i, h, nil
		}
	}
	return -1, nil, nil
}

// search returns the index of the last log of links[:to] for which ok holds, which
// holds for a log if it does for a later one; -1 if it holds for none. It asks
// for a few headers, however long the lineage is.
func (l *lineage) search(ctx context.Context, to int, ok func(i int, h *segment.Header) (bool, error)) (int, error) {
	best, lo, hi := -1, 0, to // below lo it holds, from hi on it does not
	for lo < hi {
		mid := lo + (hi-lo)/2
		i, h, err := l.logAt(ctx, lo, mid+1)
		if err != nil {
			return -1, err
		}
		if i < 0 {
			lo = mid + 1 // outputs only
			continue
		}
		holds, err := ok(i, h)
		if err != nil {
			return -1, err
		}
		if holds {
			best, lo = i, mid+1
		} else {
			hi = i
		}
	}
	return best, nil
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
