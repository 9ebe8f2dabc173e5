// Package vfs is the few file calls that varve makes, as an interface, and
// their implementation over the operating system.
//
// An [FS] is one folder, the store's. Names are slash-separated and relative
// to it, so that nothing above the folder can be named. Whatever varve writes
// goes through these calls and no others; package crashfs implements them
// again, in memory, with the power cuts and the failing calls that a disk can
// produce, and the tests of the store stand on it.
//
// The calls promise what POSIX promises and no more: bytes written are on the
// disk after [File.Sync], names after [FS.SyncDir], and neither before.
package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
)

var (
	// ErrUnsupported is returned by Reserve, Map and Link where the file system or
	// the platform has no such thing. The caller goes on without.
	ErrUnsupported = errors.ErrUnsupported

	// ErrTooManyMaps is returned by Map where the process has as many maps as it may
	// have for its files. The caller reads the file without.
	ErrTooManyMaps = errors.New("too many files are mapped")

	// ErrLocked is returned by Lock where another process, or another holder
	// in this one, has the lock.
	ErrLocked = errors.New("locked")
)

// FS is the folder of a store. Its methods may be called from several
// goroutines. Errors are *fs.PathError or *os.LinkError, and name the file by
// its full path.
type FS interface {
	// Path returns name as a person would write it, for messages.
	Path(name string) string

	// Open opens a file for reading.
	Open(name string) (File, error)

	// OpenWrite opens a file that exists for reading and writing.
	OpenWrite(name string) (File, error)

	// Create makes a file that must not exist, mode 0600, for reading and writing.
	Create(name string) (File, error)

	// Rename replaces newname by oldname, atomically.
	Rename(oldname, newname string) error

	// Link gives the file oldname a second name, newname, where nothing has it:
	// else the error is fs.ErrExist, and of many callers one succeeds. Where
	// the file system has no hard links the error is ErrUnsupported.
	Link(oldname, newname string) error

	// Remove unlinks a file or removes an empty folder.
	Remove(name string) error

	// Mkdir makes a folder, mode 0700. One that is there already is no error.
	// Mkdir(".") makes the FS's own folder, and its name durable as SyncOwnName does.
	Mkdir(name string) error

	// ReadDir lists a folder ("." is the store's own) by name.
	ReadDir(name string) ([]fs.DirEntry, error)

	// Stat describes a file. It does not follow a symbolic link, unless that is the
	// FS's own folder (".").
	Stat(name string) (fs.FileInfo, error)

	// SyncDir makes durable every name made, linked, renamed or removed in a folder
	// before the call.
	SyncDir(name string) error

	// SyncOwnName makes durable the name that the FS's own folder has in the folder
	// above, which no name here can say. It is for beginning something in a
	// folder that another process may have made, and not synced.
	SyncOwnName() error

	// Lock takes the exclusive lock of the file name, which it makes where it is
	// absent, and keeps it until the returned Lock is closed. Holder goes to the first
	// HolderSize bytes of the file, cut or filled up with zeros, and is not synced; what
	// stands behind it is left as it is. Lock does not wait: where the lock is held, the
	// error is ErrLocked and the string is what the present holder wrote.
	Lock(name, holder string) (Lock, string, error)

	// Locked reports whether somebody holds the lock of the file name. It
	// never makes the file, and a file that is absent is not locked.
	Locked(name string) (bool, error)

	// Free returns the bytes that can still be written to the file system.
	Free() (int64, error)
}

// HolderSize is how many bytes at the start of a lock file say who has the lock.
const HolderSize = 4096

// Lock is a lock that is held. Its file is the holder's to write, behind the first
// HolderSize bytes. The file is never cut, so that what an earlier holder wrote there
// stays until it is overwritten.
type Lock interface {
	io.WriterAt

	// Sync makes the bytes written before the call durable, as that of a File does.
	Sync() error

	// Close releases the lock. The file stays.
	io.Closer
}

// File is an open file. ReadAt and WriteAt may be called from several
// goroutines.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer

	// Size returns the length in bytes.
	Size() (int64, error)

	// Sync makes the bytes written before the call durable, with the length
	// that they gave the file (fdatasync). After an error what was written
	// since the last good Sync may be lost, whatever a later Sync says.
	Sync() error

	// Reserve sets room aside for the first n bytes without changing the length.
	Reserve(n int64) error

	// Release gives back what was reserved beyond the length.
	Release() error

	// Chmod sets the permission bits.
	Chmod(mode fs.FileMode) error

	// Identity tells this very file from a copy of it.
	Identity() (Identity, error)

	// Map maps the first n bytes, read-only and shared; the length of the file
	// may be smaller, and grow into the map. Touching a byte beyond the length,
	// or one that the disk cannot read, is a memory fault. Unmap takes the map
	// away; the map outlives Close.
	Map(n int64) (data []byte, unmap func() error, err error)

	// WriteBack asks that the given bytes be on their way to the disk, so that
	// a later Sync has less to do. It promises nothing and does not wait.
	WriteBack(off, n int64)
}

// Identity tells a file from a copy of it: no two files that are there at once have one
// inode number, and none that is made later is as old. Times are in nanoseconds
// since 1970, UTC; zero: the file system does not tell.
type Identity struct {
	Inode uint64
	Birth int64 // when the file was made

	// Changed is when content, mode or names of the file were last changed (ctime). No
	// call sets it, so that a copy has the time at which it was made.
	Changed int64

	// Links is how many names the file has. Zero: it was removed, and is there only as long
	// as it is open.
	Links uint64
}

// TooManyFiles says what to do where err is that the process has no more file
// handles, and returns any other err as it is.
func TooManyFiles(err error) error {
	if IsTooManyFiles(err) {
		return fmt.Errorf("%w: raise the limit of open files (ulimit -n)", err)
	}
	return err
}
