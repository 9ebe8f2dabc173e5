package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/archiver/prune"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/archiver/target/dir"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// What the catalog is measured with.
const (
	fullSegments = 100_000
	fullBackups  = 1000
	givenUp      = 10 // backups that a prune gives up
)

// actCatalog lists, makes and prunes backups in an archive of many segments, in a
// folder or on an S3 server on this machine.
func actCatalog(gb float64, onS3 bool) func(*stage) error {
	part := min(gb/fullGB, 1)
	n, backups := max(int(fullSegments*part), 200), max(int(fullBackups*part), 10*givenUp)
	var y *synthetic
	return func(s *stage) error {
		t := task{Work: "catalog", Dir: filepath.Join(s.dir, "store"), State: filepath.Join(s.dir, "receipts"), Other: filepath.Join(s.dir, "archive")}
		folder := t.Other
		if onS3 {
			v, err := s.needS3()
			if err != nil {
				return err
			}
			t.Other, t.Env, folder = v.URL("archive"), s3Env(v), filepath.Join(bucketOf(v), "archive")
		}
		if s.round == 0 {
			y = &synthetic{archive: folder, store: t.Dir}
			if err := s.synthesize(y, t, n, backups); err != nil {
				return err
			}
		}
		if err := y.add(segment.ID(n+s.round+1), false); err != nil {
			return err
		}
		t.N = backups - s.round*(givenUp-1)
		f, err := s.child(t)
		if err != nil {
			return err
		}
		f["segments"], f["backups"] = float64(n), float64(t.N)
		f["requests for a segment"] = (f["list requests"] + f["create requests"] + f["prune requests"]) / float64(n)
		s.record("varve", f)
		return nil
	}
}

// synthesize makes the store, and the archive that the task names.
func (s *stage) synthesize(y *synthetic, t task, n, backups int) error {
	if err := errors.Join(os.MkdirAll(y.archive, 0o700), os.Mkdir(t.Dir, 0o700), os.Mkdir(t.State, 0o700)); err != nil {
		return err
	}
	// By way of the server, which knows of its own objects more than their bytes.
	init := t
	init.Work = "init"
	if _, err := s.child(init); err != nil {
		return err
	}
	dir, err := dir.Open(y.archive, nil)
	if err != nil {
		return err
	}
	ident, err := target.Identify(s.ctx, dir)
	if err != nil {
		return err
	}
	y.target = ident.ID
	if y.receipts, err = receipt.Open(unsynced{vfs.Dir(t.State)}); err != nil {
		return err
	}
	fmt.Fprintf(s.r.log, "%s: making %d segments and %d backups\n", s.name, n, backups)
	return y.make(s.ctx, n, backups)
}

// runInit makes the target an archive.
func runInit(t *task) (figures, error) {
	ctx := context.Background()
	to, err := openTarget(ctx, t.Other, nil)
	if err == nil {
		_, err = target.Init(ctx, to)
	}
	return figures{}, err
}

// runCatalog lists the backups, of which there are N; makes one more of a store that has a new
// segment; prunes, first without changing anything; and lists all names of the archive, as a
// program without its own records must.
func runCatalog(t *task) (figures, error) {
	ctx := context.Background()
	f, c := figures{}, &traffic{}
	var shipped *archiver.Archiver
	for _, step := range []struct {
		name string
		do   func(context.Context, *traffic) error
	}{
		{"list", t.listBackups},
		{"create: ship", func(ctx context.Context, c *traffic) (err error) { shipped, err = t.shipNew(ctx, c); return err }},
		{"create: backup", func(ctx context.Context, c *traffic) error { return t.backUp(ctx, c, shipped) }},
		{"prune, dry", func(ctx context.Context, c *traffic) error { return t.prune(ctx, c, true) }},
		{"prune", func(ctx context.Context, c *traffic) error { return t.prune(ctx, c, false) }},
		{"names", t.listNames},
	} {
		start := time.Now()
		if err := step.do(ctx, c); err != nil {
			return nil, fmt.Errorf("%s: %w", step.name, err)
		}
		f[step.name] = time.Since(start).Seconds()
		c.into(f, step.name+" ")
	}
	// varve backup create does both.
	f["create"] = f["create: ship"] + f["create: backup"]
	f["create requests"] = f["create: ship requests"] + f["create: backup requests"]
	return f, nil
}

func (t *task) listBackups(ctx context.Context, c *traffic) error {
	a, store, err := t.openArchive(ctx, c)
	if err != nil {
		return err
	}
	all, err := a.Backups(ctx, store)
	if err == nil && len(all) != t.N {
		err = fmt.Errorf("%d backups, not %d", len(all), t.N)
	}
	return err
}

// shipNew ships the new segment.
func (t *task) shipNew(ctx context.Context, c *traffic) (*archiver.Archiver, error) {
	a, _, err := t.archiver(ctx, c)
	if err != nil {
		return nil, err
	}
	rep, err := a.Once(ctx)
	if err == nil && rep.Targets[0].Shipped != 1 {
		err = fmt.Errorf("%d segments were shipped, not 1", rep.Targets[0].Shipped)
	}
	return a, err
}

func (t *task) backUp(ctx context.Context, c *traffic, after *archiver.Archiver) error {
	target, err := openTarget(ctx, t.Other, c)
	if err != nil {
		return err
	}
	return t.backup(ctx, after, target)
}

func (t *task) prune(ctx context.Context, c *traffic, dry bool) error {
	a, store, err := t.openArchive(ctx, c)
	if err != nil {
		return err
	}
	rep, err := prune.Run(ctx, a, store, prune.Options{DryRun: dry, Policy: prune.Policy{Keep: t.N + 1 - givenUp, Window: time.Hour}})
	if err == nil && len(rep.Backups) != givenUp {
		err = fmt.Errorf("%d backups were given up, not %d", len(rep.Backups), givenUp)
	}
	return err
}

func (t *task) listNames(ctx context.Context, c *traffic) error {
	target, err := openTarget(ctx, t.Other, c)
	if err != nil {
		return err
	}
	for _, err := range target.List(ctx, "", "") {
		if err != nil {
			return err
		}
	}
	return nil
}
