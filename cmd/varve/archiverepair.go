package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/varve-db/varve/archiver/audit"
	"github.com/varve-db/varve/cmd/varve/internal/units"
	"github.com/varve-db/varve/internal/vfs"
)

const archiveRepairHelp = `Put back into the archive, from the store, what the archive lost or damaged of what was
shipped there: objects that are not there, or have another size or hash than their receipt
says; with --data also those whose bytes do not check. A segment is put back only if the
store's own is sound, every byte of it, and is what the receipt says. A receipt that is
damaged itself is written again, where the store has the segment. What prune --drop-tip gave
up is put back too, if the store still needs it, and the timeline is given up no more.

Nothing is overwritten: a damaged object is first copied to a name of its own, with .bad-1
after it, where a person can look at it. An object that is sound, and not what was
shipped, is left alone. --dry-run says what would be done.

The exit code is 3 if something could not be put back and, with --dry-run, if there is
something to put back.

With --json it prints one object: url, dry_run, checked (receipts), healed (segment,
object, problem, aside, size), failed (segment, object, problem).`

func (a *app) archiveRepairCommand() *cobra.Command {
	var flags archiveFlags
	var o audit.RepairOptions
	c := &cobra.Command{
		Use:               "repair -d DIR --to URL",
		Short:             "Put back what the archive lost or damaged",
		Long:              archiveRepairHelp,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			return stopped(ctx, a.repairArchive(ctx, &flags, o))
		},
	}
	f := c.Flags()
	flags.register(f)
	f.BoolVar(&o.Data, "data", false, "find damage by reading every byte")
	f.BoolVar(&o.DryRun, "dry-run", false, "only say what would be done")
	return c
}

func (a *app) repairArchive(ctx context.Context, flags *archiveFlags, o audit.RepairOptions) error {
	dir, receipts, arc, err := a.openShipped(ctx, flags)
	if err != nil {
		return err
	}
	o.Store, o.Receipts = vfs.AsFS(vfs.Dir(dir)), receipts
	if !a.json {
		o.Done = func(h audit.Repaired) { fmt.Fprintln(a.out, repairedLine(&h, o.DryRun)) }
	}
	rep, err := audit.Repair(ctx, arc, o)
	if err != nil {
		return archiveError(err)
	}
	if a.json {
		err = a.printJSON(rep)
	} else {
		for _, f := range rep.Failed {
			fmt.Fprintf(a.out, "%s: not put back: %s\n", f.Object, f.Problem)
		}
		done := len(rep.Repaired)
		if o.DryRun {
			done = 0
		}
		_, err = fmt.Fprintf(a.out, "%s: %s looked at, %d put back, %d not\n", rep.URL,
			count(int64(rep.Checked), "object", "objects"), done, len(rep.Failed))
	}
	switch {
	case len(rep.Failed) > 0:
		err = errors.Join(err, fmt.Errorf("%s: %s could not be put back: %w", rep.URL, count(int64(len(rep.Failed)), "segment", "segments"), errDamage))
	case o.DryRun && len(rep.Repaired) > 0:
		err = errors.Join(err, fmt.Errorf("%s: %s to be put back: %w", rep.URL, count(int64(len(rep.Repaired)), "segment is", "segments are"), errFindings))
	}
	return err
}

func repairedLine(h *audit.Repaired, dry bool) string {
	did := "put back"
	if dry {
		did = "can be put back"
	}
	line := fmt.Sprintf("%s: %s, %s: %s", h.Object, did, units.Human(h.Size), h.Problem)
	if h.Aside != "" {
		line += "; what was there is in " + h.Aside
	}
	return line
}
