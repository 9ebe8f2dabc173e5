package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/restore"
	"github.com/varve-db/varve/archiver/source"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/cmd/varve/internal/quote"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/store"
)

// The exit codes. They are part of the interface: scripts rely on them.
const (
	exitDone     = 0
	exitNotFound = 1 // of get and has
	exitUsage    = 2 // usage, or bad input
	exitDamage   = 3 // damage or findings
	exitLocked   = 4
	exitOther    = 5
	exitSignal   = 128 // and the signal's number
)

// usageError is the error of an invocation or an input that cannot be right.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// interrupted is the error of work that a signal ended in good order.
type interrupted struct{ sig syscall.Signal }

func (e *interrupted) Error() string { return "stopped by signal: " + e.sig.String() }

// exitCode is the one place that turns errors into exit codes. Of several that were joined,
// such as those of several archives, damage and findings count more than all else; where the
// others do not agree, it is any other failure.
func exitCode(err error) int {
	codes := map[int]bool{}
	last := exitOther
	for _, e := range leaves(err) {
		last = oneExitCode(e)
		codes[last] = true
		if last > exitSignal {
			return last
		}
	}
	switch {
	case codes[exitDamage]:
		return exitDamage
	case len(codes) == 1:
		return last
	}
	return exitOther
}

// oneExitCode is the exit code of one error.
func oneExitCode(err error) int {
	if e, ok := errors.AsType[*interrupted](err); ok {
		return exitSignal + int(e.sig)
	}
	if _, ok := errors.AsType[*store.CorruptError](err); ok {
		return exitDamage
	}
	if _, ok := errors.AsType[*archive.UnreadableError](err); ok && !errors.Is(err, store.ErrVersion) {
		return exitDamage
	}
	if _, ok := errors.AsType[*store.UnfinishedError](err); ok {
		return exitDamage
	}
	if away, ok := errors.AsType[*archiver.AwayError](err); ok && away.Was != "" {
		return exitOther // an archive that is not there at the moment is no bad input
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	for _, c := range []struct {
		err  error
		code int
	}{
		{store.ErrNotFound, exitNotFound},
		{target.ErrBadIdentity, exitDamage},
		{store.ErrTooLarge, exitUsage},
		{store.ErrNotStore, exitUsage},
		{store.ErrMissing, exitDamage},
		{store.ErrLostLog, exitDamage},
		{errDamage, exitDamage},
		{errFindings, exitDamage},
		{errAlarm, exitDamage},
		{target.ErrConflict, exitDamage},
		{target.ErrOtherArchive, exitDamage},
		{archiver.ErrSetAside, exitDamage},
		{source.ErrBroken, exitDamage},
		{target.ErrNoIdentity, exitUsage},
		{history.ErrIncomplete, exitDamage},
		{archive.ErrPruned, exitDamage},
		{archive.ErrChoose, exitUsage},
		{history.ErrNoPoint, exitUsage},
		{archive.ErrNotUTF8, exitUsage},
		{archive.ErrNoBackup, exitUsage},
		{restore.ErrDiverged, exitUsage},
		{vfs.ErrDangling, exitUsage},
		{syscall.ENAMETOOLONG, exitUsage},
		{vfs.ErrLocked, exitLocked},
		{store.ErrLocked, exitLocked},
	} {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return exitOther
}

// errDamage is wrapped by errors about damage that is not the store's.
var errDamage = errors.New("damaged")

// errFindings is wrapped by the error for findings, of which each says what it is.
var errFindings = errors.New("see above")

// nextStep says what the user can do about an error of opening or using a
// store, where the error does not say so itself.
func nextStep(err error) error {
	step := ""
	corrupt, ok := errors.AsType[*store.CorruptError](err)
	if _, told := errors.AsType[*stepError](err); told {
		return err
	}
	unfinished, restoring := errors.AsType[*store.UnfinishedError](err)
	switch {
	case restoring && unfinished.Live:
		return err
	case restoring:
		step = "varve restore --from URL " + quote.Shell(unfinished.Dir)
	case ok && corrupt.Next != "", errors.Is(err, store.ErrMissing): // they say it themselves
		return err
	case ok && corrupt.Closed, errors.Is(err, store.ErrLostLog):
		step = "nothing was changed; varve repair --from COPY brings back what is missing; put, del, import and load go on without it if told --accept-lost-log"
	case ok:
		step = "nothing was changed; varve check finds all that is damaged, and says what to do"
	case errors.Is(err, store.ErrNotStore):
		step = "name another folder with -d"
	case errors.Is(err, store.ErrVersion):
		step = "use a newer varve"
	case errors.Is(err, fs.ErrPermission):
		step = "run varve as the owner of the store"
	case errors.Is(err, syscall.EMFILE) && !strings.Contains(err.Error(), "ulimit -n"):
		step = "allow more open files (ulimit -n)"
	case errors.Is(err, syscall.EROFS):
		step = "mount it for writing, or only read"
	default:
		return err
	}
	return &stepError{fmt.Errorf("%w; %s", err, step)}
}

// oneLine writes an error on one line, as log files and scripts want it.
func oneLine(err error) string {
	var parts []string
	for l := range strings.Lines(inCommands(err)) {
		if l = strings.TrimSpace(l); l != "" {
			parts = append(parts, l)
		}
	}
	return strings.Join(parts, "; ")
}
