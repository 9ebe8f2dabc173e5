package archive

import (
	"context"
	"slices"
	"strings"

	"github.com/varve-db/varve/archiver/internal/parallel"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/segment"
)

// storesOf is Archive.Stores by way of folders: one request, and one for each store.
func (a *Archive) storesOf(ctx context.Context, f target.Foldered) ([]Store, error) {
	folders, err := f.Folders(ctx, "")
	if err != nil {
		return nil, err
	}
	var all []Store
	for _, folder := range folders {
		uuid, ok := parseUUID(folder)
		if !ok {
			continue
		}
		timelines, err := timelinesOf(ctx, f, uuid)
		if err != nil {
			return nil, err
		}
		all = append(all, Store{uuid, timelines})
	}
	return all, nil
}

// timelinesOf is Archive.Timelines by way of folders.
func timelinesOf(ctx context.Context, f target.Foldered, store segment.UUID) ([]segment.Timeline, error) {
	folders, err := f.Folders(ctx, store.String()+"/")
	if err != nil {
		return nil, err
	}
	var all []segment.Timeline
	for _, folder := range folders {
		if t, ok := parseTimeline(folder); ok {
			all = append(all, t)
		}
	}
	return all, nil
}

const (
	listParallel = 8    // listings that are under way at a time
	listPart     = 2000 // segments that are worth a listing of their own: two pages of S3
)

// Cuts returns names that cut a listing of a backup's store into parts of about equal length.
// The parts are listed at the same time: a server answers with a thousand names, and the next
// request begins after the last of them. A folder on disk is read at once, and is not cut.
func (a *Archive) Cuts(b *Backup) (names []string) {
	if target.IsLocal(a.target) {
		return nil
	}
	total := uint64(b.Count())
	parts := min(listParallel, total/listPart)
	var before uint64 // segments of the runs before
	for _, r := range segment.SetOfRuns(b.Segments...).Runs() {
		for n := uint64(len(names)) + 1; n < parts && n*total/parts < before+r.Count; n++ {
			id := r.First + segment.ID(n*total/parts-before)
			names = append(names, SegmentName(b.Store, segment.Ref{Timeline: r.Timeline, ID: id}))
		}
		before += r.Count
	}
	return names
}

// AllContents lists every timeline of a store, by names alone, in one listing, or in as
// many as names in order cut it into.
func (a *Archive) AllContents(ctx context.Context, store segment.UUID, cuts []string) (map[segment.Timeline]*Contents, error) {
	prefix := store.String() + "/"
	parts := make([][]target.Info, len(cuts)+1)
	err := parallel.Each(ctx, listParallel, len(parts), func(ctx context.Context, i int) error {
		after, last := slices.Concat([]string{""}, cuts)[i], ""
		if i < len(cuts) {
			last = cuts[i]
		}
		for info, err := range a.target.List(ctx, prefix, after) {
			if err != nil {
				return err
			}
			if last != "" && info.Name > last {
				return nil
			}
			parts[i] = append(parts[i], info)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	all := map[segment.Timeline]*Contents{}
	var folder string
	var c *Contents // of the folder; nil if it is that of no timeline
	for _, part := range parts {
		for _, info := range part {
			if f, _, _ := strings.Cut(info.Name[len(prefix):], "/"); f != folder {
				folder, c = f, nil
				if t, ok := parseTimeline(f); ok {
					c = &Contents{}
					all[t] = c
				}
			}
			if c != nil {
				c.add(info)
			}
		}
	}
	return all, nil
}
