package integrity

import (
	"errors"
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
// has not finished. A whole store is a store, with this file or without it.
const RestoringName = "RESTORING"

// UnfinishedError is the error of opening a folder where a restore has not finished. Nothing
// was changed.
type UnfinishedError struct {
	Dir  string
	Live bool  // a process holds the lock: the restore may be at work
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

// unfinished replaces an error about missing segments by an UnfinishedError, if a restore did not
// finish.
func (s *Inventory) unfinished(err error, live bool) error {
	switch {
	case !s.Restoring:
		return err
	case s.None():
		return &UnfinishedError{Dir: s.FS.Path("."), Live: live}
	case errors.Is(err, ErrMissing):
		return &UnfinishedError{s.FS.Path("."), live, err}
	}
	return err
}

// NoStore is the error for a folder without any segment: an *UnfinishedError where a restore has
// not finished, else one that wraps ErrNotStore. It is nil where there is a segment.
func (s *Inventory) NoStore() error {
	if !s.None() {
		return nil
	}
	return s.unfinished(fmt.Errorf("%s: %w: it holds no segment", s.FS.Path("."), ErrNotStore), false)
}

// NoLogError is the error for a folder without a newest log; live says that a process has the
// store open for writing.
func (s *Inventory) NoLogError(live bool) error { return s.unfinished(s.noLog(), live) }

// noLog is the error for a folder without a newest log.
func (s *Inventory) noLog() error {
	if len(s.Bare) > 0 {
		e := s.Bare[len(s.Bare)-1]
		return segment.InFile(s.FS.Path(e.Name), e.Err)
	}
	what := "log"
	if s.None() {
		what = "segment"
	}
	if w := s.Witness; w != nil && (s.UUID == segment.UUID{} || s.UUID == w.UUID) {
		return fmt.Errorf("%s: no %s is there, and %s in the log %v: %w", s.FS.Path("."), what, Witnessed(w), w.Ref, ErrMissing)
	}
	if len(s.Files)+len(s.Empty) > 0 {
		return fmt.Errorf("%s: no log among the segments: %w", s.FS.Path("."), ErrMissing)
	}
	return fmt.Errorf("%s: %w", s.FS.Path("."), ErrNotStore)
}
