package integrity

import "fmt"

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
