package store

import (
	"errors"
	"path/filepath"

	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// An ArchiveError is the error for a folder that is no store: it is an archive, or the folder of
// one store in an archive. An archive holds the segments of several states, on several timelines perhaps;
// which of them make up a state, a plan of package archiver says. It wraps ErrNotStore.
type ArchiveError struct {
	Dir     string // the folder
	Archive string // the folder of the archive that it is, or is in
}

// Error says what the folder is, and which calls open it.
func (e *ArchiveError) Error() string {
	where := "an archive"
	if e.Dir != e.Archive {
		where = "a folder in the archive " + e.Archive
	}
	return e.Dir + ": " + ErrNotStore.Error() + ", but " + where +
		": make a plan of a point with history.At, and give what Plan.FS returns to OpenReadOnlyFS"
}

// Unwrap returns ErrNotStore.
func (e *ArchiveError) Unwrap() error { return ErrNotStore }

// orArchive is err, or an *ArchiveError where err says that fsys is no store's folder and it is
// an archive, or the folder of one store in it. A folder with segments is a store's, whatever
// else it holds.
func orArchive(fsys vfs.FS, err error) error {
	if !errors.Is(err, ErrNotStore) {
		return err
	}
	dir := fsys.Path(".")
	for _, at := range []string{dir, filepath.Dir(dir)} {
		if _, serr := vfs.Dir(at).Stat(segment.ArchiveName); serr == nil {
			return &ArchiveError{Dir: dir, Archive: at}
		}
	}
	return err
}
