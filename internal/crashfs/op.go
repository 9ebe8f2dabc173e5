package crashfs

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
)

// ErrPowerCut is what every call returns after the power was cut (see
// [FS.CutAt]).
var ErrPowerCut = errors.New("power cut")

// OpKind names a call.
type OpKind string

// The calls that change something. They are the operations, and are numbered.
const (
	OpCreate  OpKind = "create"
	OpWrite   OpKind = "write"
	OpSync    OpKind = "sync"
	OpReserve OpKind = "reserve"
	OpRelease OpKind = "release"
	OpChmod   OpKind = "chmod"
	OpRename  OpKind = "rename"
	OpLink    OpKind = "link"
	OpRemove  OpKind = "remove"
	OpMkdir   OpKind = "mkdir"
	OpSyncDir OpKind = "syncdir"
	OpLock    OpKind = "lock"
)

// The calls that change nothing on the disk.
const (
	OpOpen      OpKind = "open"
	OpOpenWrite OpKind = "openwrite"
	OpRead      OpKind = "read"
	OpClose     OpKind = "close"
	OpStat      OpKind = "stat" // Stat, Size and Identity
	OpReadDir   OpKind = "readdir"
	OpLocked    OpKind = "locked"
	OpUnlock    OpKind = "unlock"
	OpFree      OpKind = "free"
)

var mutating = []OpKind{OpCreate, OpWrite, OpSync, OpReserve, OpRelease, OpChmod,
	OpRename, OpLink, OpRemove, OpMkdir, OpSyncDir, OpLock}

// Mutates reports whether calls of the kind are operations.
func (k OpKind) Mutates() bool { return slices.Contains(mutating, k) }

// Op is one call.
type Op struct {
	Call int // the call's number, from 1, counting every call
	N    int // the operation's number, from 1, counting those that change something; 0 for others
	Kind OpKind
	Name string // for a file, the name that it was opened under
	To   string // of a rename or link
	Off  int64  // of a write or read
	Len  int64  // of a write, read or reserve
}

// String returns the operation as a line, like those of vfs.Trace.
func (o Op) String() string {
	s := fmt.Sprintf("%d: %s %s", o.N, o.Kind, o.Name)
	switch o.Kind {
	case OpRename, OpLink:
		s += " " + o.To
	case OpWrite, OpRead:
		s += fmt.Sprintf(" %d+%d", o.Off, o.Len)
	case OpReserve:
		s += fmt.Sprintf(" %d", o.Len)
	}
	return s
}

// ShortWrite is an error for a hook to return from a write: the first N bytes
// are written, and the call returns N and Err.
type ShortWrite struct {
	N   int
	Err error
}

// Error returns the text of Err.
func (s *ShortWrite) Error() string { return s.Err.Error() }

// Unwrap returns Err.
func (s *ShortWrite) Unwrap() error { return s.Err }

// FailNth returns a hook that fails the nth call, from 1, of the given kinds,
// or of any kind if none is given. If once is false the later ones fail too.
func FailNth(n int, err error, once bool, kinds ...OpKind) func(Op) error {
	var seen atomic.Int64
	return func(op Op) error {
		if len(kinds) > 0 && !slices.Contains(kinds, op.Kind) {
			return nil
		}
		i := seen.Add(1)
		if i == int64(n) || i > int64(n) && !once {
			return err
		}
		return nil
	}
}

// ShortWriteNth returns a hook that lets the nth write, from 1, write its first
// k bytes and then fail with err. The later ones succeed.
func ShortWriteNth(n, k int, err error) func(Op) error {
	return FailNth(n, &ShortWrite{N: k, Err: err}, true, OpWrite)
}
