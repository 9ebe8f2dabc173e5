package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/restore"
	"github.com/varve-db/varve/cmd/varve/internal/units"
	"github.com/varve-db/varve/cmd/varve/internal/when"
	"github.com/varve-db/varve/segment"
)

const restoreHelp = `Bring a store back from an archive, into the folder DEST: a store that opens in order, on a
timeline of its own.

` + pointHelp + `

Where DEST is absent, the store is built in DEST.restoring and put in place by one rename.
Where it is an empty folder, such as a mount point or ".", the store is built in it, and
does not open until all is there. As long as a restore has not finished, the folder
holds a file RESTORING, and nothing can be put there; restore again, and what was fetched is
used. Where DEST is an older copy, only what differs is fetched; it may be open for reading meanwhile, and
opens as what it was until all is there. A copy that was written to since is refused.

Every byte is verified before it is put in place. What is in DEST already is read, too,
unless --quick.

--dry-run says which point it would be, and what would be fetched.

` + drillHelp + `

With --json it prints one object: dest, store, timeline, seq, time, segments, bytes,
fetched (bytes), freshened, unchanged, removed, notes, clock (if TIME lies where the clock
ran ahead: as stat prints it). With --dry-run: store, timeline,
seq, time, segments (segment, size, modified), cut (the log of which the beginning
counts: segment, offset, first_seq), held (with --accept-older: missing segments that hold
back more), last, next_id, history, clock.`

// restoreFlags are the flags of restore.
type restoreFlags struct {
	pointFlags
	dryRun bool
	rate   units.Rate
	o      restore.Options
}

func (a *app) restoreCommand() *cobra.Command {
	var r restoreFlags
	var d drillFlags
	c := &cobra.Command{
		Use:   "restore --from URL DEST",
		Short: "Bring a store back from an archive, as of any moment",
		Long:  restoreHelp,
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			if d.only && len(args) > 0 {
				return usagef("a drill restores into --scratch DIR, and nowhere else")
			}
			if d.only && r.older {
				return usagef("a drill is to find out whether the point can be had: it takes no older one")
			}
			if len(args) == 0 && !r.dryRun && !d.only {
				return usagef("restore to where? name a folder that is absent, empty, or an older copy")
			}
			if r.o.Parallel < 1 || r.o.Timeout <= 0 {
				return usagef("--parallel and --timeout must be more than nothing")
			}
			arc, plan, err := a.plan(ctx, &r.pointFlags, cmd.Flags())
			if err != nil && d.only {
				err = fmt.Errorf("the drill failed: %w", err)
			}
			if err != nil {
				return stopped(ctx, err)
			}
			if r.dryRun {
				return a.printPlan(plan)
			}
			r.o.Plan, r.o.Rate = plan, int64(r.rate)
			if d.only {
				return a.drill(ctx, arc, &d, r.o)
			}
			return a.restore(ctx, arc, args[0], r.o)
		},
	}
	f := c.Flags()
	f.StringVar(&r.url, "from", "", "the archive's URL")
	r.urlFlag = "from"
	r.registerPoint(f)
	d.register(f)
	f.BoolVar(&r.dryRun, "dry-run", false, "only say what would be done")
	f.BoolVar(&r.o.Quick, "quick", false, "do not read what is in DEST already beyond headers and footers")
	f.IntVar(&r.o.Parallel, "parallel", 4, "segments that are fetched at a time")
	f.Var(&r.rate, "rate", "most that is fetched, in bytes a second, such as 50MB; 0: no bound")
	when.SpanVar(f, &r.o.Timeout, "timeout", 5*time.Minute, "most that an attempt takes for each 64 MiB of a segment")
	return c
}

// stopped returns the signal that ended the work instead of the error that it
// caused.
func stopped(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

func (a *app) restore(ctx context.Context, arc *archive.Archive, dest string, o restore.Options) error {
	bar := a.meter("restoring", o.Plan.Bytes())
	last := int64(0)
	o.Progress = func(p restore.Progress) {
		bar.Add(p.Bytes - last)
		last = p.Bytes
		if !p.LogTime.IsZero() {
			bar.Describe("up to " + p.LogTime.Local().Format(time.DateTime))
		}
	}
	rep, err := restore.Run(ctx, arc, dest, o)
	bar.Finish()
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return fmt.Errorf("%w; nothing was put in place, and what was fetched is used next time", cause)
	}
	if err != nil && aboutDest(err, dest, arc.Target().URL()) {
		return destError(err)
	}
	if err != nil {
		return archiveError(err)
	}
	if a.json {
		return a.printJSON(rep)
	}
	for _, n := range rep.Notes {
		a.warn("%s", n)
	}
	did := "restored to"
	switch {
	case rep.Unchanged:
		did = "was already at"
	case rep.Freshened:
		did = "freshened to"
	}
	_, err = fmt.Fprintf(a.out, "%s %s sequence number %d, %s: %s, %s, of which %s fetched; timeline %v\n", rep.Dest, did,
		rep.Seq, rep.Time.Format(time.RFC3339Nano), count(int64(rep.Segments), "segment", "segments"), units.Human(rep.Bytes), units.Human(rep.Fetched), rep.Timeline)
	return err
}

// printPlan says what a restore would do.
func (a *app) printPlan(p *history.Plan) error {
	if a.json {
		return a.printJSON(p)
	}
	whole := int64(0)
	lines := map[segment.Timeline]int{}
	for _, s := range p.Segments {
		whole += s.Size
		lines[s.Ref.Timeline]++
	}
	var b strings.Builder
	fmt.Fprintf(&b, "store %v\npoint %s\n", p.Store, pointText(p))
	fmt.Fprintf(&b, "%s, %s", count(int64(len(p.Segments)), "whole segment", "whole segments"), units.Human(whole))
	if len(lines) > 1 {
		fmt.Fprintf(&b, ", of %d timelines", len(lines))
	}
	if p.Cut != nil {
		fmt.Fprintf(&b, "; and the first %s of log %v", units.Human(p.Cut.Offset), p.Cut.Ref)
	}
	fmt.Fprintln(&b)
	for _, s := range p.Segments {
		fmt.Fprintf(&b, "  %v  %s\n", s.Ref, units.Human(s.Size))
	}
	_, err := io.WriteString(a.out, b.String())
	return err
}
