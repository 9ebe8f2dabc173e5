package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// SyncOwnName syncs the folder in which the root really stands, which the kernel
// finds by "..", also where the root is "." or a symbolic link. The name of such
// a link is made durable, too.
func (d dirFS) SyncOwnName() error {
	root := filepath.Clean(d.root)
	err := d.syncAbove(root + string(filepath.Separator) + "..")
	if info, lerr := os.Lstat(root); lerr == nil && info.Mode()&fs.ModeSymlink != 0 {
		err = errors.Join(err, d.syncAbove(filepath.Dir(root)))
	}
	return err
}

// syncAbove syncs a folder above the root. One that may not be read cannot be
// synced by itself; then all of its file system is.
func (d dirFS) syncAbove(path string) error {
	err := syncDir(path)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return SyncAll(d.root)
}

// SyncAll makes durable whatever was written before the call to the file system
// that the folder at path is on: bytes and names, also those of other programs.
// On systems other than Linux it asks for that, and does not learn when it is done.
func SyncAll(path string) error {
	dir, err := os.OpenFile(path, os.O_RDONLY|dirFlags, 0)
	if err != nil {
		return err
	}
	if err = control(dir, syncAll); err != nil {
		err = &fs.PathError{Op: "syncfs", Path: path, Err: err}
	}
	return errors.Join(err, dir.Close())
}

// makeOwn makes the root, if it is absent, and its name durable: another
// process, or a user, may have made it and not synced its name.
func (d dirFS) makeOwn() error {
	err := os.Mkdir(d.root, 0o700)
	if errors.Is(err, fs.ErrExist) {
		info, serr := os.Stat(d.root)
		switch {
		case serr == nil && info.IsDir():
			err = nil
		case serr == nil:
			return err
		default:
			return danglingLink(d.root, err)
		}
	}
	if err != nil {
		return err
	}
	return d.SyncOwnName()
}

// danglingLink says of the error for a path that cannot be followed that it is a
// symbolic link to nothing, if it is.
func danglingLink(path string, err error) error {
	to, lerr := os.Readlink(path)
	if lerr != nil {
		return err
	}
	return &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf(
		"%w (%w): it leads to %s; mount or make that folder, or remove the link", ErrDangling, fs.ErrNotExist, to)}
}
