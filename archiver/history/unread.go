package history

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/segment"
)

// Unread returns the tips of a store whose newest log is not among refs: a check that read only
// refs did not read them. They are in order of timeline. Each names the segments of its timeline
// that were not read. A tip that was given up does not count. A damaged newest log counts too;
// its size is not known then. Unread lists the archive, and reads headers and footers of newest
// logs. The error is the target's.
func Unread(ctx context.Context, a *archive.Archive, store segment.UUID, refs []segment.Ref) ([]archive.Tip, error) {
	s, err := newRestorable(ctx, a, store)
	if errors.Is(err, target.ErrNotExist) { // there is nothing left to read
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var tips []*Branch
	for again := true; again; { // with one damaged segment less each time
		tips, err = s.tips(ctx)
		var next *Restorable
		if next, again = s.without(err); again {
			s = next
		}
	}
	if err != nil {
		return nil, err
	}
	read, unread := segment.SetOf(refs...), map[segment.Timeline]*archive.Tip{}
	for _, b := range tips {
		if read.Has(b.Log.Ref) {
			continue
		}
		t := &archive.Tip{Timeline: b.Id}
		unread[b.Id] = t
		for _, x := range b.Segments {
			if !read.Has(x.Ref) {
				t.Add(x)
			}
		}
	}
	for _, ref := range slices.SortedFunc(maps.Keys(s.spoiled), segment.Ref.Compare) {
		if read.Has(ref) {
			continue
		}
		if unread[ref.Timeline] == nil {
			unread[ref.Timeline] = &archive.Tip{Timeline: ref.Timeline}
		}
		unread[ref.Timeline].Add(archive.Stored{Ref: ref})
	}
	list := []archive.Tip{}
	for _, t := range slices.Sorted(maps.Keys(unread)) {
		list = append(list, *unread[t])
	}
	return list, nil
}
