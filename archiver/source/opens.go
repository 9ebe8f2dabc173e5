package source

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/internal/vfs"
)

// ErrBroken is wrapped by the error for a store that does not open for writing: segments or its
// newest log are lost or damaged. Sound segments are shipped all the same.
var ErrBroken = errors.New("the store does not open for writing")

// CheckOpens finds out whether the store would open for writing, as its own open does.
func CheckOpens(store fs.FS) error {
	fsys := vfs.FromFS(store)
	if err := integrity.Opens(fsys); err != nil {
		return fmt.Errorf("%w: %w", ErrBroken, receipt.WhoHas(fsys, err))
	}
	return nil
}
