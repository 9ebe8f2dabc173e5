package receipt

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/varve-db/varve/internal/vfs"
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

// asideName is the folder of receipts that were damaged, each under the name that it had,
// with a number.
const asideName = "quarantine"

// setAside moves a damaged receipt out of the way of the new one. If the machine stops between
// the two, there is no receipt, and the target is asked.
func (r *Folder) setAside(name string) error {
	if err := r.Fsys.Mkdir(asideName); err != nil {
		return err
	}
	for n := 1; ; n++ {
		to := fmt.Sprintf("%s/%s.%d", asideName, strings.ReplaceAll(name, "/", "-"), n)
		_, err := r.Fsys.Stat(to)
		if err == nil {
			continue
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := vfs.IgnoreAbsent(r.Fsys.Rename(name, to)); err != nil {
			return err
		}
		return errors.Join(r.Fsys.SyncDir(asideName), r.Fsys.SyncDir(".")) // what it said may be wanted
	}
}
