package target

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"time"

	"github.com/varve-db/varve/segment"
)

// MakeRoom is what has to be done about ErrFull in a folder.
const MakeRoom segment.Remedy = "make room there, or give up old backups"

var (
	// ErrExists is wrapped by the error of Target.Put where there is an object of that name
	// already. Target.Sum says whether it is the same one.
	ErrExists = errors.New("an object of that name is there already")

	// ErrNotExist is wrapped by the error for an object that is not there.
	ErrNotExist = fs.ErrNotExist

	// ErrFull is wrapped by the error of a target that has no room.
	ErrFull = errors.New("the target is full")

	// ErrDenied is wrapped by the error of a target that refuses its user: wrong or
	// missing credentials, no right to write. Trying again does not help.
	ErrDenied = errors.New("the target refuses access")

	// ErrConflict is wrapped by the error for an object that is there with other
	// content than it must have. Nothing was overwritten; a person has to look.
	ErrConflict = errors.New("the target holds other content under that name")

	// ErrUnconditional is wrapped by the error for a server that does not honor
	// conditional puts. Nothing can be archived there exactly once.
	ErrUnconditional = errors.New("the server overwrites objects that must be created only where there is none")
)

// A Target is where segments are kept: a flat space of objects by name, each
// written once. Names are slash-separated, of letters, digits, '-', '_' and '.';
// no object's name is a folder of another's.
//
// Its methods may be called from several goroutines, end early when ctx ends,
// and do not retry by themselves. Package targettest holds an implementation to
// this contract.
type Target interface {
	// URL names the target as its user does, without secrets.
	URL() string

	// Put stores size bytes of r under name, if no object has that name, and returns when they
	// are durable. sum is the SHA-256 of the bytes; content that does not have it is refused,
	// and nothing becomes visible. ErrExists says that something is there. After any other error
	// it is unknown whether the object was stored: whole, if at all.
	Put(ctx context.Context, name string, r io.ReaderAt, size int64, sum [32]byte) error

	// Stat describes an object without reading it: Info.SHA256 is zero where the target does not
	// keep it.
	Stat(ctx context.Context, name string) (Info, error)

	// Sum describes an object with its SHA-256, as the target itself keeps it or by
	// reading the object.
	Sum(ctx context.Context, name string) (Info, error)

	// Open returns n bytes of an object from offset off on, all that follow if n < 0.
	// A range beyond the end is cut short.
	Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error)

	// List yields the objects whose names begin with prefix and are greater than
	// after, in order of name, as Stat describes them. The error is the last
	// thing yielded.
	List(ctx context.Context, prefix, after string) iter.Seq2[Info, error]

	// Delete removes an object, for good. One that is not there is no error.
	Delete(ctx context.Context, name string) error

	// Probe finds out, once at start, whether the target can be used: it is there, may be
	// written to, and Put never overwrites. It leaves nothing behind. The error wraps
	// ErrUnconditional, ErrDenied, ErrFull or ErrNotExist.
	Probe(ctx context.Context) error
}

// Topped is an optional interface of a Target: it lists all that lies at the top, also what is
// no object of a Target. Before a target is made an archive, Top shows whether it is empty; List
// does if it is not Topped.
type Topped interface {
	Target

	// Top yields what is in the target, up to the first slash of each name, in no order: also
	// what other programs put there, and empty folders if the target has them. It leaves out
	// what may be beside an archive: what a volume's file system made, and what killed writers
	// and probes left. The error is the last thing yielded.
	Top(ctx context.Context) iter.Seq2[string, error]
}

// A Local is a target that may be a folder of this machine. Then its errors are not transient,
// its calls do not end early, and a whole listing costs one read of each folder.
type Local interface {
	Target

	// Local reports whether it is such a folder.
	Local() bool
}

// IsLocal reports whether a target is a folder of this machine.
func IsLocal(t Target) bool {
	l, ok := t.(Local)
	return ok && l.Local()
}

// A CheckedPutter is an optional interface of a Target: it takes an object in one pass, and
// lets the caller judge what was written before it becomes an object.
type CheckedPutter interface {
	Target

	// PutChecked is Put of content whose SHA-256 is not known before. Each byte that was
	// written goes to sums, in order. Then check judges the file, and only if it returns nil
	// is the file synced, and becomes an object.
	PutChecked(ctx context.Context, name string, r io.ReaderAt, size int64, sums io.Writer, check func(file io.ReaderAt) error) error
}

// Info describes an object.
type Info struct {
	Name     string
	Size     int64
	SHA256   [32]byte // of the content; zero: unknown
	Modified time.Time
}
