package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/cmd/varve/internal/units"
	"github.com/varve-db/varve/cmd/varve/internal/when"
	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/store"
)

const archiveHelp = `Ship the sealed segments of a store to one or more archives, each segment exactly once,
and see how far that is.

An archive is a folder, file:///path or just a path, or a bucket of an S3 server,
s3://bucket/prefix?endpoint=https://host&region=name. It is made once, by
"varve archive init", so that a disk that is not mounted or a bucket that is new is never
taken for it. Credentials for S3 come from the environment, the AWS configuration
files, or the machine's role.`

func (a *app) archiveCommand() *cobra.Command {
	c := group("archive", "Ship sealed segments to an archive", archiveHelp)
	c.AddCommand(a.archiveInitCommand(), a.archiveOnceCommand(), a.archiveRunCommand(), a.archiveStatusCommand(),
		a.archiveAuditCommand(), a.archiveRepairCommand())
	return c
}

// group is a command that only holds others.
func group(use, short, long string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: long,
		Args: knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
}

// shipFlags are the flags of the commands that ship segments.
type shipFlags struct {
	to    []string
	state string
	init  bool
	keep  bool // an archive that is not there is waited for
	o     archiver.Options
	rate  units.Rate
}

func (s *shipFlags) register(f *pflag.FlagSet) {
	f.StringArrayVar(&s.to, "to", nil, "the archive's URL; several are each shipped to by itself")
	f.StringVar(&s.state, "state", "", "folder for receipts and status; the store is then only read, and nothing is sealed (default DIR/receipts)")
	f.BoolVar(&s.init, "init", false, "make the archive if there never was one")
	f.StringArrayVar(&s.o.Accept, "accept-archive", nil, "ID of an archive that takes the place of the one that was at its URL, which is lost for good")
	f.IntVar(&s.o.Parallel, "parallel", archiver.DefaultParallel, "segments that are sent to an archive at a time")
	f.Var(&s.rate, "rate", "most that is sent to all archives together, in bytes a second, such as 50MB; 0: no bound")
	when.SpanVar(f, &s.o.Timeout, "timeout", target.DefaultTimeout, "most that an attempt takes for each 64 MiB of a segment")
}

// options returns the archiver's options, with all but the sealer filled in.
func (s *shipFlags) options(dir string) (archiver.Options, error) {
	o := s.o
	o.Rate = int64(s.rate)
	if o.Parallel < 1 || o.Timeout <= 0 {
		return o, usagef("--parallel and --timeout must be more than nothing")
	}
	o.Store = vfs.AsFS(vfs.Dir(dir))
	var err error
	o.Receipts, err = receiptsFolder(dir, s.state)
	return o, err
}

// storeFolder returns the store's folder, which must be there.
func (a *app) storeFolder() (string, error) {
	dir, err := a.place()
	if err != nil {
		return "", err
	}
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s: %w: not a folder", dir, store.ErrNotStore)
	}
	if err != nil {
		return "", usagef("%w; -d names the store", err)
	}
	return dir, nil
}

// holdsSegments refuses a folder without any segment: the disk of the store may not be
// mounted, and to ship nothing from there day after day would look well. Receipts in
// a folder that is empty would keep a store from being made there.
func holdsSegments(dir string) error {
	s, err := integrity.List(vfs.Dir(dir))
	if err == nil {
		err = s.NoStore()
	}
	if errors.Is(err, store.ErrNotStore) {
		return usagef("%w; mount its disk, or let the store be made first", err)
	}
	return nextStep(err)
}

// receiptsFolder is the path of the folder where receipts and state are kept.
func receiptsFolder(dir, state string) (string, error) {
	if state == "" {
		return archiver.ReceiptsDir(dir), nil
	}
	a, err1 := os.Stat(dir)
	b, err2 := os.Stat(state)
	if err1 == nil && err2 == nil && os.SameFile(a, b) {
		return "", usagef("--state %s is the store's own folder; name another, which holds nothing else", state)
	}
	return state, nil
}

// shipError says what can be done about an error of shipping, where it does not say so
// itself.
func shipError(err error) error {
	if other, ok := errors.AsType[*target.OtherArchiveError](err); ok {
		return fmt.Errorf("%w; to accept it: --accept-archive %s", err, other.Is.ID)
	}
	if away, ok := errors.AsType[*archiver.AwayError](err); ok && away.Was == "" {
		return fmt.Errorf("%w: varve archive init --to %s", err, away.URL)
	}
	return archiveError(err)
}

// archiveError says what can be done about an error of an archive, where it does not
// say so itself.
func archiveError(err error) error {
	if errors.Is(err, target.ErrDenied) {
		return err // it says who may do what
	}
	if e, ok := errors.AsType[*history.PointError](err); ok && e.Later && e.Point.Seq == 0 {
		return fmt.Errorf("%w (--latest-before in place of --at)", err)
	}
	if hole, ok := errors.AsType[*history.MissingError](err); ok {
		if hole.Newest != nil {
			return fmt.Errorf("%w; varve archive once, or archive repair, ships what the store has; varve restore, and what reads with --archive, take the older point with --accept-older", err)
		}
		return fmt.Errorf("%w: varve archive once, archive repair", err)
	}
	if _, ok := errors.AsType[*receipt.DamagedError](err); ok || errors.Is(err, archive.ErrPruned) {
		return fmt.Errorf("%w: varve archive repair", err)
	}
	return nextStep(err)
}
