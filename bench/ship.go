package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/backup"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/vfs"
)

// Sides of the experiments with an archive.
const (
	copying   = "cp + sync"
	uploading = "PutObject"
)

// actShipDir ships a store's segments to a folder, beside cp -r and sync of the same
// files. They are in the page cache.
func actShipDir(gb float64) func(*stage) error {
	return func(s *stage) error {
		b, err := s.store(gb, 0)
		if err != nil {
			return err
		}
		sealed, err := s.folder("sealed")
		if err != nil {
			return err
		}
		if err := linkAll(b.dir, sealed, ".seg"); err != nil {
			return err
		}
		size, err := sizesOf(sealed)
		if err != nil {
			return err
		}
		if err := s.warm(sealed); err != nil {
			return err
		}
		took, err := s.copyTree(sealed)
		if err != nil {
			return err
		}
		s.record(copying, figures{"rate": float64(size) / took})
		f, err := s.shipTo(b.dir, "archive")
		if err != nil {
			return err
		}
		s.record("varve", shipped(f, size, b))
		return nil
	}
}

// actShipLarge ships a store of few, large segments to a folder, for the memory that
// takes.
func actShipLarge(gb float64) func(*stage) error {
	return func(s *stage) error {
		segment := int64(gb * 1e9 / 8)
		b, err := s.store(gb, segment)
		if err != nil {
			return err
		}
		size, err := sizesOf(b.dir, ".seg")
		if err != nil {
			return err
		}
		f, err := s.shipTo(b.dir, "archive")
		if err != nil {
			return err
		}
		f = shipped(f, size, b)
		f["segment size"] = float64(segment)
		s.record("varve", f)
		return nil
	}
}

// shipped adds to the figures of shipping what is told of them.
func shipped(f figures, size int64, b *bigStore) figures {
	f["rate"] = float64(size) / f["seconds"]
	f["GB"] = b.gigabytes()
	return f
}

// warm reads all files in a folder.
func (s *stage) warm(dir string) error {
	all, err := files(dir)
	if err == nil {
		_, err = s.child(task{Work: "read", Files: all, Writers: 1})
	}
	return err
}

// copyTree copies a folder by cp -r, has that on the disk by sync, and returns the
// seconds.
func (s *stage) copyTree(from string) (float64, error) {
	to, err := s.folder("copy")
	if err != nil {
		return 0, err
	}
	took, err := s.command("", []string{"cp", "-r", from, filepath.Join(to, "files")}, []string{"sync"})
	if err != nil {
		return 0, err
	}
	_, err = s.folder("copy") // its files are no longer needed
	return took, err
}

// shipTo ships a store to a new archive in a folder of the stage.
func (s *stage) shipTo(store, name string) (figures, error) {
	to, err := s.folder(name)
	if err != nil {
		return nil, err
	}
	state, err := s.folder(name + "-receipts")
	if err != nil {
		return nil, err
	}
	return s.child(task{Work: "ship", Dir: store, Other: to, State: state})
}

// archiver opens the archive that the task names, which it makes where there is none,
// and returns what ships the store to it. See openTarget for c.
func (t *task) archiver(ctx context.Context, c *traffic) (*archiver.Archiver, target.Target, error) {
	to, err := openTarget(ctx, t.Other, c)
	if err != nil {
		return nil, nil, err
	}
	if _, err := target.Init(ctx, to); err != nil {
		return nil, nil, err
	}
	notify, err := archiver.Watch(ctx, t.Dir)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return nil, nil, err
	}
	a, err := archiver.New(archiver.Options{
		Store: vfs.AsFS(vfs.Dir(t.Dir)), Receipts: t.State, Targets: []target.Target{to}, Rate: t.Rate,
		Notify: notify,
	})
	return a, to, err
}

// runShip ships what the archive lacks and, with Synced, makes a backup.
func runShip(t *task) (figures, error) {
	ctx := context.Background()
	a, target, err := t.archiver(ctx, nil)
	if err != nil {
		return nil, err
	}
	u := watchUsage()
	rep, err := a.Once(ctx)
	if err != nil {
		return nil, err
	}
	if t.Synced {
		if err := t.backup(ctx, a, target); err != nil {
			return nil, err
		}
	}
	f := figures{}
	u.into(f)
	f["segments"], f["bytes"] = float64(rep.Targets[0].Shipped), float64(rep.Targets[0].Bytes)
	if rep.Targets[0].Left > 0 {
		return nil, fmt.Errorf("%d segments were not shipped", rep.Targets[0].Left)
	}
	return f, nil
}

// backup makes a backup of the task's store, which was just shipped.
func (t *task) backup(ctx context.Context, after *archiver.Archiver, target target.Target) error {
	archive, err := archive.Open(ctx, target)
	if err != nil {
		return err
	}
	_, err = backup.Create(ctx, archive, backup.CreateOptions{Store: vfs.AsFS(vfs.Dir(t.Dir)), Receipts: t.State, After: after.Shipped(archive.Identity().ID)})
	return err
}
