package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/varve-db/varve/internal/vfs"
)

// storeFolder returns the absolute path of the folder dir, in which a store is to
// be read.
func storeFolder(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return dir, isFolder(vfs.Dir(dir))
}

// isFolder makes sure that the store's folder is there.
func isFolder(fsys vfs.FS) error {
	info, err := fsys.Stat(".")
	switch {
	case errors.Is(err, fs.ErrNotExist) && !errors.Is(err, vfs.ErrDangling):
		return noStore(fsys.Path("."))
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s: is a file; a store is a folder: %w", fsys.Path("."), ErrNotStore)
	}
	return nil
}
