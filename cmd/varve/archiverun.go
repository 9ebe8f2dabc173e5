package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/spf13/cobra"
	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/cmd/varve/internal/when"
)

const runHelp = `Ship the sealed segments of a store to one or more archives for as long as it runs, beside
the store's writer or without one. It looks for new segments when it is told that there
are some, and every --poll.

A log that holds objects older than --seal-after is sealed: the writer is asked to, and
where none lives the store is opened for a moment. So that is what the loss of
the store's disk can cost, plus the time to ship; 0 leaves it to the writer.

At SIGTERM or SIGINT it begins nothing new, lets uploads go on for --grace, and exits
with 0. An archive that is not there, at the start or later, is an alarm, and is tried again
until it is. It ends by itself only if no archive is left that it can go on with: because it
is another than it was, holds other content under a segment's name, or its server overwrites;
or because at the start none may be written to. To kill it at any time loses and doubles
nothing. What was at a URL before is known from the state folder, across restarts; another
archive there is refused until --accept-archive names it.

One archiver at a time is at work on a store and an archive; a second one is refused with exit
code 4. That it is at work, and how far it is, it notes in the state folder each minute or
oftener: see "archive status".

--listen serves /metrics for Prometheus, and /healthz: 200, or 503 with the reasons while
there is an alarm, or a commit has been waiting for more than --max-lag.

It logs to standard error: text or, with --json, one JSON object a line (time, level, msg, and
what belongs to it).`

func (a *app) archiveRunCommand() *cobra.Command {
	var flags shipFlags
	var run archiver.Options
	var listen string
	c := &cobra.Command{
		Use:               "run -d DIR --to URL",
		Short:             "Ship segments as they are sealed, until told to end",
		Long:              runHelp,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
	}
	f := c.Flags()
	flags.register(f)
	when.SpanVar(f, &run.Grace, "grace", archiver.DefaultGrace, "how long uploads may go on when it is told to end")
	when.SpanVar(f, &run.SealAfter, "seal-after", time.Minute, "age of an object at which the log that holds it is sealed; 0: never")
	when.SpanVar(f, &run.Poll, "poll", archiver.DefaultPoll, "how often to look for segments, and whether the archives are there")
	when.SpanVar(f, &run.MaxLag, "max-lag", 0, "age of a commit that is not archived from which on /healthz is 503; 0: any")
	f.StringVar(&listen, "listen", "", "address for /metrics and /healthz, such as localhost:9750")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, stop := interruptible(cmd.Context())
		defer stop()
		flags.keep = true
		if flags.state != "" && f.Changed("seal-after") && run.SealAfter > 0 {
			return usagef("--seal-after would write to the store, which --state says not to; the writer's own bound on the age of a log does the same")
		}
		arc, err := a.newArchiver(ctx, &flags, func(o *archiver.Options) error { return a.runOptions(ctx, o, &run) })
		if err != nil {
			return err
		}
		return a.archive(ctx, arc, listen)
	}
	return c
}

// runOptions adds to the options what only run has.
func (a *app) runOptions(ctx context.Context, o *archiver.Options, run *archiver.Options) error {
	if run.Poll <= 0 {
		return usagef("--poll must be more than nothing")
	}
	o.Grace, o.SealAfter, o.Poll, o.MaxLag = run.Grace, run.SealAfter, run.Poll, run.MaxLag
	if o.Grace == 0 {
		o.Grace = -1 // not at all
	}
	if o.Logger = slog.New(slog.NewTextHandler(a.errs, nil)); a.json {
		o.Logger = slog.New(slog.NewJSONHandler(a.errs, nil))
		a.log = o.Logger
	}
	notify, err := archiver.Watch(ctx, a.dir)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		a.warn("new segments are found by polling only: %v", err)
	}
	o.Notify = notify
	return nil
}

// archive runs the archiver, and serves what it tells, until ctx ends.
func (a *app) archive(ctx context.Context, arc *archiver.Archiver, listen string) error {
	if listen != "" {
		srv, err := serve(listen, arc)
		if err != nil {
			return usagef("--listen: %w", err)
		}
		defer srv.Close()
		a.warn("serving /metrics and /healthz on http://%s", srv.addr)
	}
	return shipError(arc.Run(ctx))
}
