package integrity

import (
	"fmt"

	"github.com/varve-db/varve/segment"
)

// A MissingError is the error for segments that a store is made of and whose files are
// not there. It wraps ErrMissing.
type MissingError struct {
	Dir      string        // the store's folder
	Segments []segment.Ref // at least one

	// Archives are the archives that have some of the first few Segments, by the receipts beside
	// the store. An open fills it in.
	Archives []segment.InArchive
}

// Error names the folder and the first few segments.
func (e *MissingError) Error() string {
	names := make([]string, len(e.Segments))
	for i, ref := range e.Segments {
		names[i] = ref.String()
	}
	text := fmt.Sprintf("%s: %v: %s; bring the files back from a copy or an archive", e.Dir, ErrMissing, shortList(names))
	for i := range e.Archives {
		text += fmt.Sprintf("; by the receipts, %v", &e.Archives[i])
	}
	return text
}

// Unwrap returns ErrMissing.
func (e *MissingError) Unwrap() error { return ErrMissing }

// RestoringName is a file that a restore makes first in the folder where it builds a store,
// and removes last. Where there is no segment beside it, or some are missing, the restore
// has not finished. A store that is whole is one, with the file or without.
const RestoringName = "RESTORING"

// UnfinishedError is the error of opening a folder where a restore has not finished. Nothing
// was changed.
type UnfinishedError struct {
	Dir  string
	Live bool  // a process holds the lock: the restore is at work, perhaps
	Err  error // what the folder lacks; nil: there is no segment
}

// Error says what to do.
func (e *UnfinishedError) Error() string {
	s := e.Dir + ": a restore did not finish here: restore again into it, which fetches only what is not there yet, or remove the folder"
	if e.Live {
		s = e.Dir + ": a restore is at work here: wait until it is done"
	}
	if e.Err != nil {
		s += fmt.Sprintf(" (%v)", e.Err)
	}
	return s
}

// Unwrap returns what the folder lacks.
func (e *UnfinishedError) Unwrap() error { return e.Err }
