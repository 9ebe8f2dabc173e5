package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/varve-db/varve/cmd/varve/internal/units"
	"github.com/varve-db/varve/cmd/varve/internal/when"
	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/store"
)

// writeFlags are the flags of the commands that put objects into a store.
type writeFlags struct {
	segmentSize units.SegmentSize
	sync        syncFlag
}

func (w *writeFlags) register(f *pflag.FlagSet) {
	w.segmentSize = store.DefaultSegmentSize
	f.Var(&w.segmentSize, "segment-size", "most that the records of a segment take, 4KiB to 4GiB")
	f.Var(&w.sync, "sync", "always: on the disk before it counts; or a duration, such as 1s, that may be lost")
}

// syncFlag is a durability as a flag.
type syncFlag struct{ store.Durability }

// Set takes "always", or what when.ParseSpan does.
func (s *syncFlag) Set(v string) error {
	if v == "always" {
		return s.UnmarshalText([]byte(v))
	}
	every, ok := when.ParseSpan(v)
	if !ok || every == 0 {
		return errors.New("want always, or a duration such as 1s, more than nothing")
	}
	s.Durability = store.SyncEvery(every)
	return nil
}

func (s *syncFlag) Type() string { return "always|1s" }

// trust is how far a command that opens a store trusts the disk.
type trust struct {
	level        levelFlag
	allowDamaged bool
	acceptLost   bool
}

// opens gives commands that open a store the flags that say how.
func (a *app) opens(cmds ...*cobra.Command) []*cobra.Command {
	for _, c := range cmds {
		c.Flags().Var(&a.trust.level, "integrity", "how much is checked when the store is opened")
	}
	return cmds
}

// opensAnyway adds the flag of those that can do with a damaged store.
func (a *app) opensAnyway(cmds ...*cobra.Command) []*cobra.Command {
	for _, c := range a.opens(cmds...) {
		c.Flags().BoolVar(&a.trust.allowDamaged, "allow-damaged", false,
			"open though sealed segments are damaged or missing, and refuse only what they may hold")
	}
	return cmds
}

// writes adds the flag of those that write, and can so give up a log that is lost.
func (a *app) writes(cmds ...*cobra.Command) []*cobra.Command {
	for _, c := range cmds {
		c.Flags().BoolVar(&a.trust.acceptLost, "accept-lost-log", false,
			"open though the newest log, or its end, is lost, and give up what was in it")
	}
	return cmds
}

// levelFlag is an integrity level as a flag.
type levelFlag struct{ integrity.Level }

func (l *levelFlag) Set(v string) error { return l.UnmarshalText([]byte(v)) }
func (l *levelFlag) Type() string       { return "none|tail|log|full" }

// place returns the store's folder.
func (a *app) place() (string, error) {
	if a.dir == "" {
		return "", usagef("which store? give -d DIR or set VARVE_DIR")
	}
	return a.dir, nil
}

// withReader opens the store for reading, runs fn and closes it.
func (a *app) withReader(fn func(*store.Reader) error) error {
	dir, err := a.place()
	if err != nil {
		return err
	}
	r, err := store.OpenReadOnly(dir, &store.Options{Integrity: a.trust.level.Level, AllowDamaged: a.trust.allowDamaged})
	if err != nil {
		return openError(err)
	}
	return errors.Join(nextStep(a.withoutLost(r, fn)), r.Close())
}

// withoutLost runs fn, and says of a store without its newest log that it is one. What
// is not found in it is no answer: it may have been in there.
func (a *app) withoutLost(r *store.Reader, fn func(*store.Reader) error) error {
	rep := r.OpenReport()
	if rep.Lost == nil {
		return fn(r)
	}
	a.warn("%s: the newest log, %v, is lost: what was in it is missing, and what is there may be older; bring it back from a copy: varve repair --from", rep.Path, rep.Lost)
	err := fn(r)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%v in what is left: %w", err, store.ErrLostLog)
	}
	return err
}

// withWriter opens the store for writing, runs fn and closes it. fn's objects
// are all on the disk when it returns without error.
func (a *app) withWriter(o *store.Options, fn func(*store.DB) error) error {
	dir, err := a.place()
	if err != nil {
		return err
	}
	o.Integrity, o.AllowDamaged, o.AcceptLostLog = a.trust.level.Level, a.trust.allowDamaged, a.trust.acceptLost
	db, err := store.Open(dir, o)
	if errors.Is(err, fs.ErrNotExist) && !o.MustExist && !errors.Is(err, vfs.ErrDangling) {
		return usagef("%w; the folder above it must be there", err)
	}
	if err != nil {
		return openError(err)
	}
	a.tellRecovery(db.OpenReport())
	return errors.Join(nextStep(fn(db)), nextStep(db.Close()))
}

func (w *writeFlags) options() *store.Options {
	return &store.Options{SegmentSize: int64(w.segmentSize), Durability: w.sync.Durability}
}

// openError adds the next step to an error of opening. That there is no store is
// the fault of the input.
func openError(err error) error {
	if e, ok := errors.AsType[*store.ArchiveError](err); ok {
		return usagef("%s: an archive, and no store; read it with --archive %s, or restore it", e.Dir, e.Archive)
	}
	if errors.Is(err, vfs.ErrDangling) {
		return usagef("%w", err)
	}
	if errors.Is(err, fs.ErrNotExist) && !errors.Is(err, store.ErrMissing) {
		return usagef("%w; put, del, import and load create one, -d names another", err)
	}
	return nextStep(err)
}

// tellRecovery says on standard error what an open for writing had to do.
func (a *app) tellRecovery(r store.OpenReport) {
	if r.Begun != nil {
		a.warn("%s: recovered: %s; %s, timeline %v begun", r.Path, r.Begun.Why, count(r.Objects, "object", "objects"), r.Begun.Timeline)
	}
	if c := r.Cut; c != nil {
		a.warn("%s: %d bytes at offset %d of log %v belonged to no whole write and were cut off (%s); kept in %s",
			r.Path, c.Bytes, c.Offset, c.Segment, c.Reason, c.Kept)
	}
	for _, n := range r.Notes {
		a.warn("%s: %s", r.Path, n)
	}
}

// writerLives reports whether a process has the store open for writing.
func writerLives(dir string) (bool, error) { return vfs.Dir(dir).Locked("LOCK") }

// count writes a number with its noun.
func count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
