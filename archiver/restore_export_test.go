package archiver

import (
	"context"

	"github.com/varve-db/varve/internal/vfs"
)

// BuildIn is what Restore does in a folder that nobody else looks at.
func BuildIn(ctx context.Context, a *Archive, fsys vfs.FS, o RestoreOptions) (*RestoreReport, error) {
	return newRestorer(a, fsys, o).build(ctx)
}

// FreshenIn is what Restore does with an older copy.
func FreshenIn(ctx context.Context, a *Archive, fsys vfs.FS, o RestoreOptions) (*RestoreReport, error) {
	return newRestorer(a, fsys, o).freshen(ctx)
}
