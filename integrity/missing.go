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
