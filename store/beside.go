package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/varve-db/varve/integrity"
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

// whileWritten calls look, which surveys the store, and tells it whether a process
// has it open for writing. While one does, files change their names, and come
// and go: then the newest state is looked for again.
func whileWritten(fsys vfs.FS, look func(live bool) error) error {
	const tries = 20
	for i := 0; ; i++ {
		live, err := fsys.Locked(integrity.LockName)
		if err != nil {
			return err
		}
		err = look(live)
		now, lockErr := fsys.Locked(integrity.LockName)
		if err == nil && lockErr == nil && now == live || i == tries {
			return err
		}
		gone := errors.Is(err, fs.ErrNotExist)
		again := now != live || live && (gone || errors.Is(err, ErrMissing) || isCorrupt(err)) || gone && i < 3
		if !again {
			return errors.Join(err, lockErr)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// ignoreAbsent leaves out the error for a file that is not there.
func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
