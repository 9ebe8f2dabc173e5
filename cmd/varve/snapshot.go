package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/spf13/cobra"
	"github.com/varve-db/varve/cmd/varve/internal/terminal"
	"github.com/varve-db/varve/cmd/varve/internal/units"
	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/store"
)

const snapshotHelp = `Copy the store to DEST as it is now, without stopping the process that writes to it, and
without a lock. The copy holds everything that was known to be on the disk when the
command began. It is a store: read it as it is, or put into it, which begins a timeline
of its own.

Sealed segments become hard links where DEST is on the same file system. That takes no time and no
room, and is no second copy of the bytes: what damages one file damages the other. --copy
copies them, each verified as it is read. The log is always a copy.

If DEST is absent it becomes the copy. If it is an empty folder, or one of snapshots, the
copy gets a dated name in it, such as 2026-11-20T15-04-05Z, and each run a line in
snapshots.log there. The copy is opened and checked before it gets its name, with --check
every byte of it; a copy that does not check is removed.

On a terminal each step is shown as it is done. With --json each is one object:
  step     list, link or copy (of a segment), log (its durable part), check, rename
  file     the segment's; of rename, the copy's folder
  n, of    segments done, of so many; bytes of the step; done_bytes, total_bytes
and at the end one object: path, uuid, timeline, live (beside a writer), last_seq and time
(of the newest change in the copy), segments, bytes, linked (hard links), copied_bytes,
objects, level (of the check), notes, began, took_ns.`

func (a *app) snapshotCommand() *cobra.Command {
	var o store.HotCopyOptions
	var full bool
	c := &cobra.Command{
		Use:   "snapshot -d DIR DEST",
		Short: "Copy the store while it is written to",
		Long:  snapshotHelp,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := a.place()
			if err != nil {
				return err
			}
			if full {
				o.Check = integrity.Full
			}
			ctx, stop := interruptibleAtPipe(cmd.Context())
			defer stop()
			return a.snapshot(ctx, dir, args[0], o)
		},
	}
	c.Flags().BoolVar(&o.Copy, "copy", false, "copy the sealed segments, too, instead of linking them")
	c.Flags().BoolVar(&full, "check", false, "read every byte of the copy before it gets its name")
	return c
}

func (a *app) snapshot(ctx context.Context, dir, dest string, o store.HotCopyOptions) error {
	var failed error // of showing the steps
	if show := a.stepShower(); show != nil {
		o.Progress = func(s store.HotCopyStep) { failed = errors.Join(failed, show(s)) }
	}
	r, err := store.HotCopy(ctx, dir, dest, o)
	switch {
	case ctx.Err() != nil && err != nil:
		return fmt.Errorf("%w; no copy was made", context.Cause(ctx))
	case errors.Is(err, fs.ErrExist), errors.Is(err, fs.ErrInvalid):
		return &usageError{err}
	case err != nil && aboutDest(err, dest, dir):
		return destError(err)
	case errors.Is(err, fs.ErrNotExist):
		return openError(err)
	case err != nil:
		return nextStep(err)
	}
	if a.json {
		return errors.Join(failed, a.printJSON(r))
	}
	for _, n := range r.Notes {
		a.warn("%s", n)
	}
	return errors.Join(failed, writeSnapshot(a.out, r))
}

// stepShower returns what shows a step to who looks; nil if nobody does.
func (a *app) stepShower() func(store.HotCopyStep) error {
	switch {
	case a.json:
		return func(s store.HotCopyStep) error { return a.printJSON(s) }
	case terminal.Is(a.out.file):
		return func(s store.HotCopyStep) error { return writeStep(a.out, &s) }
	}
	return nil
}

// writeStep writes a step for people, on a line.
func writeStep(out io.Writer, s *store.HotCopyStep) error {
	line := fmt.Sprintf("%-6s", s.Step)
	switch s.Step {
	case "list":
		line += fmt.Sprintf(" %s, %s", count(int64(s.Of), "segment", "segments"), units.Human(s.Total))
	case "link", "copy", "log":
		line += fmt.Sprintf(" %s  %d of %d  %s, %s of %s", s.File, s.N, s.Of, units.Human(s.Bytes), units.Human(s.Done), units.Human(s.Total))
	case "rename":
		line += " " + s.File
	default:
		line += " opened, and it ends where it must"
	}
	_, err := fmt.Fprintln(out, line)
	return err
}

// writeSnapshot says what the copy is, for people.
func writeSnapshot(out io.Writer, r *store.HotCopyReport) error {
	_, err := fmt.Fprintf(out, "%s: up to sequence number %d of %s: %s in %s, %s; checked at level %v in %s\n",
		r.Path, r.LastSeq, r.Time.Format(time.RFC3339), count(r.Objects, "object", "objects"),
		count(int64(r.Segments), "segment", "segments"), units.Human(r.Bytes), r.Level, r.Took.Round(time.Millisecond))
	if err == nil && r.Linked > 0 {
		_, err = fmt.Fprintf(out, "%s to the store's own files: no second copy of their bytes; --copy makes one\n",
			count(int64(r.Linked), "segment is a hard link", "segments are hard links"))
	}
	return err
}
