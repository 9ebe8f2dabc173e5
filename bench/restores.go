package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/restore"
	"github.com/varve-db/varve/segment"
)

// actRestore restores a store from an archive in a folder, beside cp -r and sync of
// the archive, and opens what was restored.
func actRestore(gb float64) func(*stage) error {
	return func(s *stage) error {
		b, err := s.store(gb, 0)
		if err != nil {
			return err
		}
		archive := filepath.Join(s.dir, "archive")
		if s.round == 0 {
			if _, err := s.shipTo(b.dir, "archive"); err != nil {
				return err
			}
		}
		size, err := sizesOf(archive, ".seg")
		if err != nil {
			return err
		}
		if err := s.warm(archive); err != nil {
			return err
		}
		took, err := s.copyTree(archive)
		if err != nil {
			return err
		}
		s.record(copying, figures{"rate": float64(size) / took})
		to, err := s.folder("restored")
		if err != nil {
			return err
		}
		f, err := s.child(task{Work: "restore", Dir: filepath.Join(to, "store"), Other: archive})
		if err != nil {
			return err
		}
		f["rate"] = float64(size) / f["seconds"]
		opened, err := s.child(task{Work: "level", Dir: filepath.Join(to, "store")})
		if err != nil {
			return err
		}
		f["open"], f["GB"] = opened["seconds"], b.gigabytes()
		f["replayed"] = opened["phase newest log records"] / float64(b.objects)
		s.record("varve", f)
		return os.RemoveAll(to)
	}
}

// openArchive opens the archive that the task names, and the only store in it.
func (t *task) openArchive(ctx context.Context, c *traffic) (*archive.Archive, segment.UUID, error) {
	target, err := openTarget(ctx, t.Other, c)
	if err != nil {
		return nil, segment.UUID{}, err
	}
	a, err := archive.Open(ctx, target)
	if err != nil {
		return nil, segment.UUID{}, err
	}
	store, err := a.Store(ctx, "")
	return a, store, err
}

// runRestore restores the newest state of the archive.
func runRestore(t *task) (figures, error) {
	ctx := context.Background()
	u := watchUsage()
	a, store, err := t.openArchive(ctx, nil)
	if err != nil {
		return nil, err
	}
	plan, err := history.At(ctx, a, store, history.Point{})
	if err != nil {
		return nil, err
	}
	if _, err := restore.Run(ctx, a, t.Dir, restore.Options{Plan: plan}); err != nil {
		return nil, err
	}
	f := figures{"bytes": float64(plan.Bytes())}
	u.into(f)
	return f, nil
}
