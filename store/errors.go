package store

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// A CorruptError says that bytes of the store which must be sound are not:
// which file, which offset, and which keys and sequence numbers are at stake.
type CorruptError = segment.CorruptError

// A MissingError names the segments that are not there. It wraps ErrMissing.
type MissingError = integrity.MissingError

// An UnfinishedError says that a restore has not finished in the folder. Nothing was changed.
// Restore again into the folder, which fetches only what is not there yet, or remove it.
type UnfinishedError = integrity.UnfinishedError

var (
	// ErrNotFound is returned for a key that is not there.
	ErrNotFound = segment.ErrNotFound

	// ErrClosed is returned after Close.
	ErrClosed = errors.New("store is closed")

	// ErrLocked is wrapped by the error of Open where another process has the
	// store open for writing; the message says who.
	ErrLocked = vfs.ErrLocked

	// ErrNotStore is wrapped by the error of Open for a folder that holds
	// something else, and by the error of OpenReadOnly for one that holds no store.
	ErrNotStore = integrity.ErrNotStore

	// ErrMissing is wrapped by the error of Open where segments of the store
	// are not there; the message names them. See [MissingError].
	ErrMissing = integrity.ErrMissing

	// ErrLostLog is wrapped by the error of Open where the newest log, which the
	// one before it names, is not there, or nothing of it though the store was closed with
	// it. Options.AcceptLostLog opens what is left.
	ErrLostLog = integrity.ErrLostLog

	// ErrVersion is wrapped by the error for files of a newer format.
	ErrVersion = segment.ErrVersion

	// ErrTooLarge is wrapped by the error for an object or a batch beyond the
	// limits. Nothing was written.
	ErrTooLarge = segment.ErrTooLarge

	// ErrDiskFull is wrapped by the error of a commit that had to be refused
	// because the file system is full, and by the error of Open where it needs room. Reads
	// and deletes go on, but a delete gives no room back; puts go on by themselves
	// once others have made room on the disk. See [DiskFullError].
	ErrDiskFull = errors.New("disk is full")

	// ErrIndexTooLarge is wrapped by the error of Open where the index would
	// need more memory than Options.MaxIndexBytes.
	ErrIndexTooLarge = errors.New("index would be larger than MaxIndexBytes")

	// ErrPoisoned is wrapped by every commit's error after a write or a sync of
	// the log failed: what was written since the last good sync may be lost. Reads go
	// on. To write again, close the store and open it, which recovers; but see [GoneError].
	ErrPoisoned = errors.New("log failed; close the store and open it again to recover")
)

// A GoneError says that the newest log of an open store is not in its folder any more: it or
// the folder was removed, moved or replaced. Nothing is acknowledged from then on, so errors.Is(err,
// ErrPoisoned) holds. What was acknowledged within the second before may be in the lost file
// only. Reads go on as long as the store is open.
type GoneError struct {
	Path string // of the newest log, as it was

	// Removed reports that the log has no name at all: when the store is closed, what is in
	// it is lost. Otherwise it has another name, or is in a folder that has.
	Removed bool
}

// Error says what happened to the log, and what can be saved.
func (e *GoneError) Error() string {
	if e.Removed {
		return e.Path + ": the newest log, or the whole folder, was removed while the store was open: nothing is acknowledged any more, " +
			"and closing the store loses what is in that log; copy to another store what can still be read, and close this one then"
	}
	return e.Path + ": the newest log, or the whole folder, was moved or replaced while the store was open: nothing is acknowledged any more; " +
		"close the store, bring the folder back, and open it again"
}

// Is makes errors.Is(err, ErrPoisoned) hold.
func (e *GoneError) Is(target error) bool { return target == ErrPoisoned }

// A DiskFullError is the error of a commit on a full disk.
type DiskFullError struct {
	// Kept reports that the commit's bytes are kept in memory and will be
	// written once there is room, unless the process ends before: it may come to
	// pass or not. Otherwise the commit was refused, and nothing was written.
	Kept bool
	Err  error // what the system said; may be nil
}

// Error says whether the commit was refused or kept.
func (e *DiskFullError) Error() string {
	what := "disk is full: refused, and nothing was written; make room on the disk: deletes are taken, but give no room back"
	if e.Kept {
		what = "disk is full: not on the disk yet, kept and tried again until there is room"
	}
	if e.Err != nil {
		return fmt.Sprintf("%s (%v)", what, e.Err)
	}
	return what
}

// Is makes errors.Is(err, ErrDiskFull) hold.
func (e *DiskFullError) Is(target error) bool { return target == ErrDiskFull }

// Unwrap returns what the system said.
func (e *DiskFullError) Unwrap() error { return e.Err }

// noStore is the error for a folder in which no store is.
func noStore(path string) error { return &absentError{path} }

type absentError struct{ path string }

func (e *absentError) Error() string        { return e.path + ": no store there" }
func (e *absentError) Is(target error) bool { return target == fs.ErrNotExist }
