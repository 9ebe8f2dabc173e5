package history

import (
	"context"
	"slices"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/internal/parallel"
	"github.com/varve-db/varve/segment"
)

// base returns the segments that are the state at a place, together with the log of the place
// up to the place. The error is a *MissingError where there is no such set.
func (l *lineage) base(ctx context.Context, at *place) ([]segment.Ref, error) {
	live := slices.Collect(at.hdr.Live.All())
	lacking := l.lacking(live)
	if len(lacking) == 0 {
		return live, nil
	}
	// Compaction may have replaced what is missing before the point.
	edited, err := l.edited(ctx, at)
	if err != nil {
		return nil, err
	}
	if len(l.lacking(edited)) == 0 {
		return edited, nil
	}
	fail := l.hole(Point{}, lacking)
	for from := at.at; len(lacking) > 0; {
		// The set of an earlier log may not have it yet. From that log on, the logs hold
		// everything.
		from, _, err = l.logs().Search(ctx, 0, from, func(_ int, h *segment.Header) (bool, error) {
			return !h.Live.Has(lacking[0]), nil
		})
		if err != nil {
			return nil, err
		}
		if from < 0 {
			return nil, fail
		}
		h, err := l.Header(ctx, l.links[from].Ref)
		if err != nil {
			return nil, err
		}
		logs, whole, err := l.between(ctx, from, at)
		if err != nil {
			return nil, err
		}
		if !whole {
			return nil, fail
		}
		live := slices.Collect(h.Live.All())
		if lacking = l.lacking(live); len(lacking) == 0 {
			return merged(live, logs), nil
		}
	}
	return nil, fail
}

// lacking returns what of a set is not in the archive.
func (s *Restorable) lacking(refs []segment.Ref) (out []segment.Ref) {
	for _, r := range refs {
		if _, there := s.stored(r); !there {
			out = append(out, r)
		}
	}
	return out
}

// edited returns the live set at a place, as the edits before it in its log leave the set. It
// reads the records of the log.
func (l *lineage) edited(ctx context.Context, at *place) ([]segment.Ref, error) {
	name := archive.SegmentName(l.Store, at.log.Ref)
	f, err := l.Footer(ctx, at.log)
	if err != nil {
		return nil, err
	}
	r, err := segment.NewReader(l.A.Object(ctx, name, at.log.Size), at.log.Size)
	if err != nil {
		return nil, l.A.Damaged(err, name, at.log.Ref)
	}
	end, set := at.end, at.hdr.Live
	if at.whole() {
		end = f.RecordsEnd
	}
	if end <= r.HeaderSize {
		return slices.Collect(set.All()), nil
	}
	for rec, err := range r.Records(segment.Span{To: end}) {
		var e segment.EditSet
		if err == nil && rec.Kind == segment.Edit {
			e, err = rec.ParseEdit()
		}
		if err != nil {
			return nil, l.A.Damaged(err, name, at.log.Ref)
		}
		set = e.Apply(set)
	}
	return slices.Collect(set.All()), nil
}

// between returns the logs links[from] up to the one before a place. whole is false
// where they do not follow each other without a gap.
func (l *lineage) between(ctx context.Context, from int, at *place) (refs []segment.Ref, whole bool, err error) {
	n := at.at - from
	hdrs, feet := make([]*segment.Header, n), make([]*segment.Footer, n)
	err = parallel.Each(ctx, parallel.Looks, n, func(ctx context.Context, i int) (err error) {
		if hdrs[i], err = l.Header(ctx, l.links[from+i].Ref); err == nil && hdrs[i].Kind == segment.Log {
			feet[i], err = l.Footer(ctx, l.links[from+i].Stored)
		}
		return err
	})
	if err != nil {
		return nil, false, err
	}
	due := uint64(0)
	for i, h := range hdrs {
		if h.Kind != segment.Log {
			continue
		}
		if due != 0 && h.FirstSeq != due || l.links[from+i].limit < feet[i].LastSeq {
			return nil, false, nil
		}
		refs, due = append(refs, h.Ref), feet[i].LastSeq+1
	}
	return refs, due == at.hdr.FirstSeq, nil
}

// merged returns the union of two sets of refs, in order.
func merged(a, b []segment.Ref) []segment.Ref {
	return slices.Collect(segment.SetOf(slices.Concat(a, b)...).All())
}
