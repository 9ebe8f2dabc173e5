package audit

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/internal/parallel"
	"github.com/varve-db/varve/archiver/source"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/segment"
)

// follow reads the headers of the chain's logs, wherever they are, until they name
// nothing new.
func (d *auditor) follow(ctx context.Context) error {
	d.reach = map[segment.Timeline]segment.ID{d.newest.Ref.Timeline: d.newest.Ref.ID}
	d.headers, d.lost = map[segment.Ref]*segment.Head{}, map[segment.Ref]bool{}
	if !d.open {
		d.named = d.named.With(d.newest.Ref)
	}
	d.absorb(d.newest, d.edits)
	for {
		var todo []segment.Ref
		for _, ref := range slices.Concat(slices.SortedFunc(maps.Keys(d.local), segment.Ref.Compare), slices.SortedFunc(maps.Keys(d.objects), segment.Ref.Compare)) {
			if _, read := d.headers[ref]; !read && d.onChain(ref) {
				d.headers[ref] = nil
				todo = append(todo, ref)
			}
		}
		if len(todo) == 0 {
			return nil
		}
		var mu sync.Mutex // guards what absorb changes
		err := parallel.Each(ctx, parallel.Looks, len(todo), func(ctx context.Context, i int) error {
			h, edits, err := d.header(ctx, todo[i], d.o.Data)
			if err != nil || h == nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			d.absorb(h, edits)
			return nil
		})
		if err != nil {
			return err
		}
	}
}

// header reads a header from the store or, where the store does not have it, from the archive;
// with data also the edits, if it is a log. It returns nil for a header that does not check:
// that is found with its object.
func (d *auditor) header(ctx context.Context, ref segment.Ref, data bool) (*segment.Header, []segment.EditSet, error) {
	if g, ok := d.local[ref]; ok {
		if h, edits, err := d.readLog(g.Name, data); err == nil && h.Ref == ref {
			return h, edits, nil
		}
	}
	s, ok := d.objects[ref]
	if !ok {
		return nil, nil, nil
	}
	var h *segment.Header
	var edits []segment.EditSet
	err := target.Persist(ctx, target.Allowance(s.Size), func(ctx context.Context) (err error) {
		if h, err = d.a.ReadHeader(ctx, d.store, ref); err != nil || !data || h.Kind != segment.Log {
			return err
		}
		src := &archive.Stream{Object: archive.Object{Ctx: ctx, Target: d.a.Target(), Name: archive.SegmentName(d.store, ref), Size: s.Size}}
		r, err := segment.NewReader(src, s.Size)
		if err == nil {
			edits, err = source.Edits(r)
		}
		return errors.Join(err, src.Close())
	})
	if _, corrupt := errors.AsType[*segment.CorruptError](err); corrupt || errors.Is(err, target.ErrNotExist) {
		return nil, nil, nil
	}
	return h, edits, err
}

// explain looks for what named the segments that no header names. An output may have been
// adopted and retired again during the life of one log. Then only the edits in that log name
// it.
func (d *auditor) explain(ctx context.Context) error {
	var logs []segment.Ref
	for _, ref := range slices.SortedFunc(maps.Keys(d.headers), segment.Ref.Compare) {
		if h := d.headers[ref]; h != nil && h.Kind == segment.Log {
			logs = append(logs, ref)
		}
	}
	next := 0 // logs before it were read
	for _, ref := range d.chain() {
		if d.o.Data || d.known(ref) || d.gone[ref] {
			continue
		}
		from, _ := slices.BinarySearchFunc(logs, ref, segment.Ref.Compare)
		for next = max(next, from-1); next < len(logs) && !d.known(ref); next++ {
			h, edits, err := d.header(ctx, logs[next], true)
			if err != nil {
				return err
			}
			if h != nil {
				d.absorb(h, edits)
			}
		}
	}
	return nil
}

// known reports whether anything on the chain names a segment.
func (d *auditor) known(ref segment.Ref) bool { return d.named.Has(ref) || d.retired.Has(ref) }

// absorb takes note of what a header on the chain names.
func (d *auditor) absorb(h *segment.Header, edits []segment.EditSet) {
	if h.Ref != d.newest.Ref || !d.open {
		d.headers[h.Ref] = &segment.Head{Kind: h.Kind, Ref: h.Ref, FirstSeq: h.FirstSeq}
	}
	if h.Kind != segment.Log {
		return
	}
	if p := h.Parent; p != (segment.Ref{}) {
		d.reach[p.Timeline] = max(d.reach[p.Timeline], p.ID)
	}
	d.name(h.Live)
	d.retired = d.retired.Union(h.Retired) // a retired log may be one that an open left alone: it is not of the chain
	for _, e := range edits {
		d.name(segment.SetOf(e.Adopt...))
		d.name(segment.SetOf(e.Retire...))
	}
}

// name adds to what is named on the chain, and the timelines to the chain.
func (d *auditor) name(set segment.Set) {
	d.named = d.named.Union(set)
	for _, r := range set.Runs() {
		d.reach[r.Timeline] = max(d.reach[r.Timeline], r.Last())
	}
}

// onChain reports whether a segment belongs to the history of the store's newest log. The last
// segment that the chain has of a timeline, and those after it, may be of a copy that went on:
// they count only if they are named.
func (d *auditor) onChain(ref segment.Ref) bool {
	return ref.ID < d.reach[ref.Timeline] || d.known(ref)
}
