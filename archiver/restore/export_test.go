package restore

import (
	"context"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/internal/vfs"
)

// BuildIn is what Run does in a folder that nobody else looks at.
func BuildIn(ctx context.Context, a *archive.Archive, fsys vfs.FS, o Options) (*Report, error) {
	return newRestorer(a, fsys, o).build(ctx)
}

// RestoreInto is what Run does with a folder that is there.
func RestoreInto(ctx context.Context, a *archive.Archive, dest vfs.FS, o Options) (*Report, error) {
	return restoreInto(ctx, a, dest, o)
}

// RestoreBeside is what Run does where there is no folder name.
func RestoreBeside(ctx context.Context, a *archive.Archive, above vfs.FS, name string, o Options) (*Report, error) {
	return restoreBeside(ctx, a, above, name, o)
}

// FreshenIn is what Run does with an older copy.
func FreshenIn(ctx context.Context, a *archive.Archive, fsys vfs.FS, o Options) (*Report, error) {
	return newRestorer(a, fsys, o).freshen(ctx)
}
