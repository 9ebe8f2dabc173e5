package archiver

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/varve-db/varve/segment"
)

// Unread returns the tips of a store whose newest log is not among refs: what a check that
// read just these segments says nothing of. Each names the segments of its timeline that
// were not read, in order of timeline; tips that were given up do not count, and a newest
// log that is damaged does, by its name; its size is then not known. It lists the archive,
// and reads headers and footers of newest logs. The error is that of the target.
func Unread(ctx context.Context, a *Archive, store segment.UUID, refs []segment.Ref) ([]AuditTip, error) {
	s, err := newShelf(ctx, a, store)
	if errors.Is(err, ErrNotExist) { // there is nothing left to read
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var tips []*branch
	for again := true; again; { // with one damaged segment less each time
		tips, err = s.tips(ctx)
		var next *shelf
		if next, again = s.without(err); again {
			s = next
		}
	}
	if err != nil {
		return nil, err
	}
	read, unread := setOf(refs), map[segment.Timeline]*AuditTip{}
	for _, b := range tips {
		if read.has(b.log.Ref) {
			continue
		}
		t := &AuditTip{Timeline: b.id}
		unread[b.id] = t
		for _, x := range b.Segments {
			if !read.has(x.Ref) {
				t.add(x)
			}
		}
	}
	for _, ref := range slices.SortedFunc(maps.Keys(s.spoiled), segment.Ref.Compare) {
		if read.has(ref) {
			continue
		}
		if unread[ref.Timeline] == nil {
			unread[ref.Timeline] = &AuditTip{Timeline: ref.Timeline}
		}
		unread[ref.Timeline].add(Stored{Ref: ref})
	}
	list := []AuditTip{}
	for _, t := range slices.Sorted(maps.Keys(unread)) {
		list = append(list, *unread[t])
	}
	return list, nil
}

// add counts a segment of the tip.
func (t *AuditTip) add(x Stored) {
	if t.Segments == 0 || x.Ref.ID < t.First {
		t.First = x.Ref.ID
	}
	t.Last = max(t.Last, x.Ref.ID)
	t.Segments++
	t.Bytes += x.Size
}

// Refs returns the segments that the plan reads, of one perhaps only the beginning.
func (p *Plan) Refs() []segment.Ref {
	refs := p.set()
	if p.Cut != nil {
		refs = merged(refs, []segment.Ref{p.Cut.Ref})
	}
	return refs
}
