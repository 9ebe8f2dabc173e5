package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/prune"
	"github.com/varve-db/varve/cmd/varve/internal/table"
	"github.com/varve-db/varve/cmd/varve/internal/units"
	"github.com/varve-db/varve/cmd/varve/internal/when"
	"github.com/varve-db/varve/segment"
)

const backupPruneHelp = `Delete from an archive what nothing needs any more. Needed is what a backup lists, what a
restore is reading, what the points in the --window are made of, and the newest state of
every tip: a timeline whose last record no other one continues.

--keep and --keep-within say which backups stay; without them, all do, and the newest always
does. What is not needed is written down first, and deleted by the first prune
after --grace, if it is still not needed then; so run it regularly. A marker stays in
the place of each segment. What cannot be read is never deleted, and while the word of a
backup that cannot be read is missing, nothing is. It works on an archive that is full.

--drop-tip gives up the newest state of a timeline, now and for later prunes, until the
timeline goes on. The points of it that are in the --window stay as long as those of others.

--explain says of every segment why it is kept or not; --dry-run changes nothing.

With --json it prints one object: store, time, dry_run, backups (given up), deleted, planned,
waiting, kept (segments, bytes of each), due (when what was planned can go), notes, and
with --explain, explain (timeline, first, count, bytes, keep, why).`

func (a *app) backupPruneCommand() *cobra.Command {
	var flags catalogFlags
	var o prune.Options
	var drop []string
	c := a.catalogCommand(&cobra.Command{
		Use:   "prune --from URL",
		Short: "Delete from an archive what nothing needs",
		Long:  backupPruneHelp,
		Args:  cobra.NoArgs,
	}, &flags, func(ctx context.Context, arc *archive.Archive, uuid segment.UUID, _ []string) error {
		if o.Grace == 0 {
			o.Grace = -1 // none
		}
		if o.Keep < 0 {
			return usagef("--keep %d: want a number of backups", o.Keep)
		}
		for _, s := range drop {
			var t segment.Timeline
			if err := t.UnmarshalText([]byte(s)); err != nil {
				return usagef("--drop-tip: %w: want 16 hexadecimal digits", err)
			}
			o.DropTips = append(o.DropTips, t)
		}
		rep, err := prune.Run(ctx, arc, uuid, o)
		if err != nil {
			return err
		}
		return a.printPruned(rep)
	})
	f := c.Flags()
	f.IntVar(&o.Keep, "keep", 0, "how many of the newest backups stay; 0: as --keep-within says")
	when.SpanVar(f, &o.KeepWithin, "keep-within", 0, "backups that are not older stay, such as 30d or 4w")
	when.SpanVar(f, &o.Window, "window", 0, "every point in time of the last so long stays, such as 7d or 1w")
	when.SpanVar(f, &o.Grace, "grace", 24*time.Hour, "how long what is not needed stays all the same; 0: it goes with the next prune")
	f.StringArrayVar(&drop, "drop-tip", nil, "give up the newest state of this timeline")
	f.BoolVar(&o.DryRun, "dry-run", false, "change nothing, only say what would be done")
	f.BoolVar(&o.Explain, "explain", false, "say of every segment why it is kept or not")
	return c
}

func (a *app) printPruned(rep *prune.Report) error {
	if a.json {
		return a.printJSON(rep)
	}
	a.printExplained(rep.Explain)
	for _, n := range rep.Notes {
		a.warn("%s", n)
	}
	would := ""
	if rep.DryRun {
		would = "would be "
	}
	if n := len(rep.Backups); n > 0 {
		ids := strings.Trim(fmt.Sprint(rep.Backups), "[]")
		fmt.Fprintf(a.out, "%s %sdeleted: %s\n", count(int64(n), "backup", "backups"), would, ids)
	}
	say := func(n prune.Amount, what string) {
		if n.Segments > 0 {
			fmt.Fprintf(a.out, "%s, %s: %s\n", count(int64(n.Segments), "segment", "segments"), units.Human(n.Bytes), what)
		}
	}
	say(rep.Deleted, would+"deleted")
	say(rep.Planned, "not needed; "+would+"deleted by the first prune after "+rep.Due.Local().Format(time.DateTime))
	say(rep.Waiting, "not needed, and written down by an earlier prune; the grace is not over")
	_, err := fmt.Fprintf(a.out, "%s, %s: kept\n", count(int64(rep.Kept.Segments), "segment", "segments"), units.Human(rep.Kept.Bytes))
	return err
}

func (a *app) printExplained(list []prune.Explained) {
	if len(list) == 0 {
		return
	}
	t := table.New("segments", "size", "verdict", "why")
	t.Head = false
	for _, e := range list {
		verdict := "keep"
		if !e.Keep {
			verdict = "go"
		}
		t.Row(e.Run, units.Human(e.Bytes), verdict, e.Why)
	}
	t.Write(a.out)
	fmt.Fprintln(a.out)
}
