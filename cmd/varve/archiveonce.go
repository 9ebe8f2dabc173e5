package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/cmd/varve/internal/terminal"
	"github.com/varve-db/varve/cmd/varve/internal/units"
	"github.com/varve-db/varve/store/sealer"
)

const onceHelp = `Seal the log if it holds objects, ship every segment that an archive does not have yet,
and end. To repeat it adds nothing, so it may run from cron as often as is liked. A program that
has the store open is asked for what it has not written yet, which takes up to a second.

Each segment is verified as it is read. A damaged one is not shipped; the others are, and
the exit code is 3. So it is where an archive holds something else under a segment's
name: nothing is overwritten; and where the store does not open for writing, since segments
or the newest log are lost. What fails is tried again a few times. While "archive run" is at
work on the same store and archive, it is refused with exit code 4: all is shipped anyway.
For each archive that something is wrong with it prints a line: what, since when, how much
waits, what to do. An archive that is full, or was there before and is away, is exit code 5.

With --json it prints one object: store, targets (url, id, shipped, bytes, found: there
already, failures, left, left_bytes, error, alarm: kind, message, since), damaged (file, reason, since), took_ns.`

func (a *app) archiveOnceCommand() *cobra.Command {
	var flags shipFlags
	c := &cobra.Command{
		Use:               "once -d DIR --to URL",
		Short:             "Ship what an archive does not have yet, and end",
		Long:              onceHelp,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			arc, err := a.newArchiver(ctx, &flags, nil)
			if err != nil {
				return err
			}
			return a.once(ctx, arc)
		},
	}
	flags.register(c.Flags())
	return c
}

// newArchiver opens all that the flags name. more may change the options.
func (a *app) newArchiver(ctx context.Context, flags *shipFlags, more func(*archiver.Options) error) (*archiver.Archiver, error) {
	dir, err := a.storeFolder()
	if err != nil {
		return nil, err
	}
	if err := holdsSegments(dir); err != nil {
		return nil, err
	}
	o, err := flags.options(dir)
	if err != nil {
		return nil, err
	}
	if err := a.openAll(ctx, flags, &o); err != nil {
		return nil, err
	}
	s := sealer.New(dir, sealer.Options{Opened: a.tellRecovery, NoRequests: flags.state != ""})
	if o.Barrier = s; flags.state == "" {
		o.Sealer = s
	}
	if more != nil {
		if err := more(&o); err != nil {
			return nil, err
		}
	}
	a.warnSameDisk(dir, flags.to)
	arc, err := archiver.New(o)
	return arc, nextStep(err)
}

// once ships what is there, and tells what it did.
func (a *app) once(ctx context.Context, arc *archiver.Archiver) error {
	report, err := a.watchedOnce(ctx, arc)
	err = targetErrors(&report, err)
	if cause := context.Cause(ctx); cause != nil {
		err = fmt.Errorf("%w; what was shipped up to there has its receipts", cause)
	}
	for i := range report.Targets {
		if t := &report.Targets[i]; !a.json && t.ID != "" { // else the error says all there is to say
			fmt.Fprintln(a.out, onceLine(t))
		}
	}
	if a.json && report.Targets != nil {
		err = errors.Join(a.printJSON(report), err)
	}
	return err
}

func onceLine(t *archiver.TargetReport) string {
	s := fmt.Sprintf("%s: %s shipped, %s", t.URL, count(t.Shipped, "segment", "segments"), units.Human(t.Bytes))
	if t.Found > 0 {
		s += fmt.Sprintf("; %d found there", t.Found)
	}
	if t.Left > 0 {
		s += fmt.Sprintf("; left: %s, %s", count(int64(t.Left), "segment", "segments"), units.Human(t.LeftBytes))
	}
	return s
}

// watchedOnce runs arc.Once, with a bar if somebody looks.
func (a *app) watchedOnce(ctx context.Context, arc *archiver.Archiver) (report archiver.OnceReport, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		report, err = arc.Once(ctx)
	}()
	var bar *terminal.Meter
	var shown int64
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for a.watched() {
		select {
		case <-done:
			bar.Finish()
			return report, err
		case <-tick.C:
		}
		var sent, left int64
		for _, t := range arc.Status().Targets {
			sent += t.Counts.Bytes
			left += t.Bytes
		}
		if bar == nil && left > 0 {
			bar = a.meter("shipping", sent+left)
		}
		bar.Add(sent - shown)
		shown = sent
	}
	<-done
	return report, err
}
