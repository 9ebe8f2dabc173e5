package receipt

import (
	"fmt"

	"github.com/varve-db/varve/segment"
)

// A DamagedError says that the file of a receipt is not what was written. It
// tells nothing of the object, which is asked for again.
type DamagedError struct {
	File    string
	Segment segment.Ref // by the name of the file
	Err     error       // what does not check
}

// Error names the file and what must be done.
func (e *DamagedError) Error() string {
	return e.Problem() + "; the archive has to be asked for the object, and the receipt written again"
}

// Problem is the error without the next step.
func (e *DamagedError) Problem() string {
	return fmt.Sprintf("receipt %s of segment %v: damaged: %v", e.File, e.Segment, e.Err)
}

// Unwrap returns what does not check.
func (e *DamagedError) Unwrap() error { return e.Err }
