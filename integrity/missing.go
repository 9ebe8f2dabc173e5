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
}

// Error names the folder and the first few segments.
func (e *MissingError) Error() string {
	names := make([]string, len(e.Segments))
	for i, ref := range e.Segments {
		names[i] = ref.String()
	}
	return fmt.Sprintf("%s: %v: %s; bring the files back from a copy or an archive", e.Dir, ErrMissing, shortList(names))
}

// Unwrap returns ErrMissing.
func (e *MissingError) Unwrap() error { return ErrMissing }
