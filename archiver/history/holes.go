package history

import (
	"context"
	"errors"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/segment"
)

// Holes returns an error for each state that cannot be restored because segments are missing
// or were found damaged: first the backups, in their order, then the newest state of each tip.
// It lists the archive, and reads header and footer of the newest logs. Damage elsewhere is
// found only by reading it. The error is the target's.
func Holes(ctx context.Context, a *archive.Archive, store segment.UUID, backups []*archive.Backup) (holes []*MissingError, err error) {
	s, err := newRestorable(ctx, a, store)
	if errors.Is(err, target.ErrNotExist) { // the archive holds only manifests
		s, err = &Restorable{Tree: &Tree{A: a, Store: store}}, nil
	}
	if err != nil {
		return nil, err
	}
	for _, b := range backups {
		if missing := s.lacking(b.Refs()); len(missing) > 0 {
			holes = append(holes, s.hole(Point{Backup: b.ID}, missing))
		}
	}
	if len(s.Branches) == 0 {
		return holes, nil
	}
	var tips []*Branch
	for again := true; again; {
		tips, err = s.tips(ctx)
		var next *Restorable
		if next, again = s.without(err); again {
			s = next
		}
	}
	if err != nil {
		return nil, err
	}
	points := []Point{{}} // the newest state, for which there is no log
	for _, b := range tips {
		points = append(points, Point{Timeline: b.Id})
	}
	if len(tips) == 1 {
		points = points[:1]
	}
	for _, p := range points {
		_, err := At(ctx, a, store, p)
		hole, incomplete := errors.AsType[*MissingError](err)
		switch {
		case incomplete:
			holes = append(holes, hole)
		case err != nil && !errors.Is(err, archive.ErrChoose) && !errors.Is(err, target.ErrNotExist):
			return nil, err
		}
	}
	return holes, nil
}
