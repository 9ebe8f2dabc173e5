package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/backup"
	"github.com/varve-db/varve/archiver/source"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/cmd/varve/internal/units"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/store/sealer"
)

const backupCreateHelp = `Make a backup of the store as it is now. The log is sealed if it holds objects, what an archive
lacks is shipped, and then the backup is written: a list of segments. Segments that
the backup before has are relied on; of the others the archive is asked for size and,
where it knows it without reading, hash. With several archives each gets a backup. While
"archive run" is at work, the shipping is left to it, and waited for. Of a store that does
not open for writing no backup is made: what is whole is shipped, and the exit code is 3.

With --json it prints one object for each archive: url, and of the backup format, id, time,
store, tip (the newest log), seq, log_time (ns), objects (old versions included),
bytes, own_bytes (that the backup before did not have), digest, meta, segments (runs:
timeline, first, count), sum.`

func (a *app) backupCreateCommand() *cobra.Command {
	var flags shipFlags
	var meta []string
	c := &cobra.Command{
		Use:               "create -d DIR --to URL",
		Short:             "Make a backup of the store",
		Long:              backupCreateHelp,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			m, err := parseMeta(meta)
			if err != nil {
				return err
			}
			err = a.createBackups(ctx, &flags, m)
			if cause := context.Cause(ctx); err != nil && cause != nil {
				return fmt.Errorf("%w; what was shipped up to there has its receipts", cause)
			}
			return shipError(err)
		},
	}
	flags.register(c.Flags())
	c.Flags().StringArrayVar(&meta, "meta", nil, "a word about the backup, as key=value; may be given several times")
	return c
}

// parseMeta reads --meta.
func parseMeta(list []string) (map[string]string, error) {
	m := map[string]string{}
	for _, s := range list {
		k, v, ok := strings.Cut(s, "=")
		if _, twice := m[k]; !ok || k == "" || twice {
			return nil, usagef("--meta %q: want key=value, each key once", s)
		}
		m[k] = v
	}
	if err := archive.CheckMeta(m); err != nil {
		return nil, usagef("--meta: %w", err)
	}
	return m, nil
}

// createBackups ships what is missing and makes a backup in each archive that has
// all.
func (a *app) createBackups(ctx context.Context, flags *shipFlags, meta map[string]string) error {
	arc, err := a.newArchiver(ctx, flags, nil)
	if err != nil {
		return err
	}
	receipts, err := receiptsFolder(a.dir, flags.state)
	if err != nil {
		return err
	}
	create := backup.CreateOptions{Store: vfs.AsFS(vfs.Dir(a.dir)), Receipts: receipts, Meta: meta}
	report, err := a.watchedOnce(ctx, arc)
	if _, busy := errors.AsType[*archiver.AtWorkError](err); busy {
		if report, err = a.waitForShipping(ctx, flags, arc, create); err != nil && report.Targets == nil {
			return err
		}
	}
	failed := map[string]bool{}
	for _, t := range report.Targets {
		failed[t.URL] = t.Error != ""
	}
	err = targetErrors(&report, err)
	if errors.Is(err, source.ErrBroken) || err != nil && len(failed) < 2 && !errors.Is(err, archiver.ErrSetAside) {
		return err
	}
	shipped := arc
	if report.Targets == nil {
		shipped = nil
	}
	var open archiver.Options
	err = errors.Join(err, a.openOrLater(ctx, flags, &open))
	for _, t := range open.Targets {
		if !failed[t.URL()] {
			err = errors.Join(err, a.createBackup(ctx, t, create, shipped))
		}
	}
	return err
}

// waitForShipping waits until another archiver, which is at work on the store, has shipped
// what a backup is made of. If that one ends before, arc ships, and the report is its own.
func (a *app) waitForShipping(ctx context.Context, flags *shipFlags, arc *archiver.Archiver, o backup.CreateOptions) (report archiver.OnceReport, err error) {
	if flags.state == "" {
		seal, cancel := context.WithTimeout(ctx, flags.o.Timeout)
		defer cancel()
		if err := sealer.New(a.dir, sealer.Options{Opened: a.tellRecovery}).Seal(seal, 0); err != nil {
			return report, err
		}
	}
	left, since := -1, time.Now()
	for {
		missing := 0
		for _, raw := range flags.to {
			n, err := unshipped(ctx, raw, o)
			if err != nil {
				return report, err
			}
			missing += n
		}
		if missing == 0 {
			return report, nil
		}
		if missing != left {
			left, since = missing, time.Now()
		}
		report, err = arc.Once(ctx)
		if _, busy := errors.AsType[*archiver.AtWorkError](err); !busy {
			return report, err
		}
		if waited := time.Since(since); waited > flags.o.Timeout {
			return report, fmt.Errorf("%w, but has shipped nothing for %v of the %s that a backup needs; see varve archive status", err,
				waited.Round(time.Second), count(int64(missing), "segment", "segments"))
		}
		if !target.Sleep(ctx, shippedPoll) {
			return report, context.Cause(ctx)
		}
	}
}

// shippedPoll is how often it is looked for what another archiver has shipped.
const shippedPoll = 250 * time.Millisecond

// unshipped returns how many segments of a backup the archive has no receipts of.
func unshipped(ctx context.Context, raw string, o backup.CreateOptions) (int, error) {
	t, err := openTarget(ctx, raw, false)
	if err != nil {
		return 0, err
	}
	arc, err := openArchive(ctx, t)
	if err != nil {
		return 0, err
	}
	missing, err := backup.Unshipped(arc, &o)
	return len(missing), err
}

// createBackup makes a backup. shipped has just shipped the store; nil: nobody has.
func (a *app) createBackup(ctx context.Context, t target.Target, o backup.CreateOptions, shipped *archiver.Archiver) error {
	arc, err := openArchive(ctx, t)
	if err != nil {
		return err
	}
	if shipped != nil {
		o.After = shipped.Shipped(arc.Identity().ID)
	}
	b, err := backup.Create(ctx, arc, o)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(struct {
			URL string `json:"url"`
			*archive.Backup
		}{t.URL(), b})
	}
	_, err = fmt.Fprintf(a.out, "%s: backup %d: sequence number %d, %s, %s in %s, %s of its own\n", t.URL(), b.ID, b.Seq,
		count(b.Objects, "object", "objects"), units.Human(b.Bytes), count(int64(b.Count()), "segment", "segments"), units.Human(b.OwnBytes))
	return err
}
