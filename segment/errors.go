package segment

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// ErrVersion is wrapped by the error for a file of a newer format. Such a file
// is sound as far as this program can tell; it needs a newer varve.
var ErrVersion = errors.New("format is newer than this program")

// ErrTooLarge is wrapped by the error for an object or a batch beyond the limits.
var ErrTooLarge = errors.New("too large")

// A Remedy says in words what has to be done about damage. Packages that give advice have
// theirs as constants, so that a program can tell them apart and act. The zero value: nothing is
// known.
type Remedy string

// UseNewer is the remedy where ErrVersion is the trouble.
const UseNewer Remedy = "use a newer varve"

// InArchive says that an archive has segments of a store.
type InArchive struct {
	URL    string // of the archive, as its user named it
	Object string // the name of the segment's object there, or of the first of several
	N      int    // how many of the segments it has
}

// String says which archive has what.
func (a *InArchive) String() string {
	if a.N > 1 {
		return fmt.Sprintf("archive %s has %d of them, the first as %s", a.URL, a.N, a.Object)
	}
	return fmt.Sprintf("archive %s has %s", a.URL, a.Object)
}

// A CorruptError says that bytes which must be there, and sound, are not.
type CorruptError struct {
	File     string   // the file's name, where it is known
	Segment  Ref      // the segment, where it is known
	Offset   int64    // of the first bad byte's record, block or header in the file
	Reason   string   // what does not check
	Keys     [][]byte // keys at stake, as far as they could be read
	FirstSeq uint64   // the sequence numbers at stake, from FirstSeq
	LastSeq  uint64   // to LastSeq; both zero where unknown
	Next     Remedy   // what has to be done

	// Archives are the archives that have the segment, by the receipts beside the store. An
	// open fills it in.
	Archives []InArchive

	// Closed says that the newest log is sound as far as it goes, and that only the
	// witness of a close tells that there was more: what is left can be opened, if the
	// loss is accepted.
	Closed bool
}

// Error names file, offset, reason, keys and sequence numbers.
func (e *CorruptError) Error() string {
	var b strings.Builder
	b.WriteString("corrupt")
	if e.File != "" {
		fmt.Fprintf(&b, ": %s", e.File)
	} else if e.Segment != (Ref{}) {
		fmt.Fprintf(&b, ": segment %s", e.Segment)
	}
	fmt.Fprintf(&b, ": offset %d: %s", e.Offset, e.Reason)
	if e.FirstSeq != 0 {
		fmt.Fprintf(&b, "; sequence numbers %d to %d at stake", e.FirstSeq, e.LastSeq)
	}
	const most = 3
	for i, k := range e.Keys {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(e.Keys)-most)
			break
		}
		sep := ", "
		if i == 0 {
			sep = "; keys "
		}
		fmt.Fprintf(&b, "%s%q", sep, shorten(k))
	}
	for i := range e.Archives {
		fmt.Fprintf(&b, "; by its receipt, %v", &e.Archives[i])
	}
	if e.Next != "" {
		fmt.Fprintf(&b, "; %s", e.Next)
	}
	return b.String()
}

// shorten keeps a key fit for a message.
func shorten(k []byte) []byte {
	const most = 80
	if len(k) <= most {
		return k
	}
	return append(append([]byte{}, k[:most]...), "…"...)
}

// corrupt is the failure of a check at an offset, before the file is known.
func corrupt(off int64, format string, args ...any) *CorruptError {
	return &CorruptError{Offset: off, Reason: fmt.Sprintf(format, args...)}
}

// AsCorrupt returns the CorruptError that err is or wraps.
func AsCorrupt(err error) (*CorruptError, bool) { return errors.AsType[*CorruptError](err) }

// IsCorrupt reports whether err is or wraps a CorruptError.
func IsCorrupt(err error) bool {
	_, ok := AsCorrupt(err)
	return ok
}

// InFile puts the name of a file into an error of reading a segment there.
func InFile(name string, err error) error {
	if err == nil {
		return nil
	}
	if c, ok := errors.AsType[*CorruptError](err); ok {
		if c.File == "" {
			c.File = name
		}
		return err
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok { // which has it
		return err
	}
	return fmt.Errorf("%s: %w", name, err)
}
