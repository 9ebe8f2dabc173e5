package main

import (
	"context"
	"fmt"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/segment"
	"github.com/varve-db/varve/store"
)

// archivedPoint is the state of an archive that stat tells of.
type archivedPoint struct {
	Seq      uint64           `json:"seq"`
	Time     time.Time        `json:"time"`
	Timeline segment.Timeline `json:"timeline"`
	Backup   uint64           `json:"backup,omitempty"`

	Clock *segment.ClockJump `json:"clock,omitempty"`
}

// statArchive prints what a point of an archive holds.
func (a *app) statArchive(ctx context.Context, arc *archive.Archive, plan *history.Plan) error {
	fsys, err := plan.FS(ctx)
	if err != nil {
		return err
	}
	// All tables are read and verified to build the index; level none reads no objects.
	r, err := store.OpenReadOnlyFS(fsys, &store.Options{Integrity: integrity.None})
	if err != nil {
		return err
	}
	defer r.Close()
	s := &status{
		Stats: r.Stats(),
		Point: &archivedPoint{plan.Seq, plan.Time, plan.Timeline, plan.Backup, plan.Clock},
		plan:  pointText(plan),
	}
	s.Stats.Path, s.Stats.Timeline, s.Stats.LastSeq = arc.Target().URL(), plan.Timeline, plan.Seq
	s.Stats.Segments, s.Stats.FileBytes = archivedSegments(s.Stats.Segments, plan)
	return a.printStat(s)
}

// archivedSegments are the segments of a point and their bytes, as they are in the archive.
// The last one is a log that exists only while the point is read: it stands for the log of
// which the beginning counts, or for nothing.
func archivedSegments(segs []store.SegmentStats, plan *history.Plan) ([]store.SegmentStats, int64) {
	size := map[segment.Ref]int64{}
	for _, g := range plan.Segments {
		size[g.Ref] = g.Size
	}
	var out []store.SegmentStats
	for _, g := range segs {
		n, whole := size[g.Segment]
		switch {
		case whole:
			g.Bytes = n
		case plan.Cut != nil:
			g.Segment, g.Bytes = plan.Cut.Ref, plan.Cut.Offset
		default:
			continue
		}
		g.File = fmt.Sprintf("%v/%v.seg", plan.Store, g.Segment)
		out = append(out, g)
	}
	return out, plan.Bytes()
}
