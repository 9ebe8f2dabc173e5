package vfs

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// rootFS is a folder in which others may have put symbolic links. Like dirFS it
// holds no open handle, so that a disk can be taken away and mounted again.
type rootFS struct {
	dirFS
}

// Root returns the folder at path, as Dir does, but no name leads out of it: a
// symbolic link in it that does is an error. Path itself may be a link. (Lock
// and Locked are those of Dir.)
func Root(path string) FS {
	return rootFS{dirFS{root: path}}
}

// do calls fn with the folder open, and gives errors their full paths.
func (r rootFS) do(op, name string, fn func(root *os.Root) error) error {
	if _, err := r.path(op, name); err != nil {
		return err
	}
	root, err := os.OpenRoot(r.root)
	if err != nil {
		return err
	}
	defer root.Close() // a folder: nothing can be lost
	err = fn(root)
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		pe.Path = r.Path(name)
	}
	return err
}

func (r rootFS) Open(name string) (File, error) {
	return r.open(name, os.O_RDONLY|openFlags)
}

func (r rootFS) OpenWrite(name string) (File, error) {
	return r.open(name, os.O_RDWR|openFlags)
}

func (r rootFS) Create(name string) (File, error) {
	return r.open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL|openFlags)
}

// open opens a regular file and nothing else, as dirFS does.
func (r rootFS) open(name string, flag int) (File, error) {
	var f *os.File
	err := r.do("open", name, func(root *os.Root) error {
		info, err := root.Lstat(name)
		if err == nil && !info.Mode().IsRegular() && flag&os.O_EXCL == 0 {
			return notRegular(name, info.Mode())
		}
		if f, err = root.OpenFile(name, flag, 0o600); err != nil {
			return err
		}
		if info, err = f.Stat(); err == nil && !info.Mode().IsRegular() {
			err = notRegular(name, info.Mode())
		}
		if err != nil {
			err = errors.Join(err, f.Close())
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &file{f: f}, nil
}

func (r rootFS) Rename(oldname, newname string) error {
	return r.pair("rename", oldname, newname, (*os.Root).Rename)
}

func (r rootFS) Link(oldname, newname string) error {
	return linkError(r.pair("link", oldname, newname, (*os.Root).Link))
}

// pair makes a call with two names.
func (r rootFS) pair(op, oldname, newname string, call func(root *os.Root, oldname, newname string) error) error {
	if _, err := r.path(op, newname); err != nil {
		return err
	}
	err := r.do(op, oldname, func(root *os.Root) error { return call(root, oldname, newname) })
	if le, ok := errors.AsType[*os.LinkError](err); ok {
		le.Old, le.New = r.Path(oldname), r.Path(newname)
	}
	return err
}

func (r rootFS) Remove(name string) error {
	return r.do("remove", name, func(root *os.Root) error { return root.Remove(name) })
}

func (r rootFS) Mkdir(name string) error {
	if name == "." {
		return r.dirFS.Mkdir(name)
	}
	return r.do("mkdir", name, func(root *os.Root) error {
		err := root.Mkdir(name, 0o700)
		if errors.Is(err, fs.ErrExist) {
			if info, serr := root.Lstat(name); serr == nil && info.IsDir() {
				return nil
			}
		}
		return err
	})
}

func (r rootFS) ReadDir(name string) (list []fs.DirEntry, err error) {
	err = r.do("readdir", name, func(root *os.Root) error {
		within, err := root.Open(name)
		if err != nil {
			return err
		}
		dir, err := r.same(within, name)
		if err == nil {
			list, err = dir.ReadDir(-1)
			err = errors.Join(err, dir.Close())
		}
		return errors.Join(err, within.Close())
	})
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list, err
}

// same opens by its path a folder that is open within the root. A folder that was opened
// within a root asks for the description of every file in it as it is read, which takes
// most of the time for a folder of many, and is not always wanted. The entries of this one
// are described by their paths, when that is asked for; no link is followed for it.
func (r rootFS) same(within *os.File, name string) (*os.File, error) {
	dir, err := os.OpenFile(r.Path(name), os.O_RDONLY|dirFlags, 0)
	if err != nil {
		return nil, err
	}
	x, err1 := within.Stat()
	y, err2 := dir.Stat()
	if err = errors.Join(err1, err2); err == nil && !os.SameFile(x, y) {
		err = &fs.PathError{Op: "readdir", Path: r.Path(name), Err: errors.New("the folder was replaced while it was opened")}
	}
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return dir, nil
}

func (r rootFS) Stat(name string) (info fs.FileInfo, err error) {
	err = r.do("stat", name, func(root *os.Root) error {
		info, err = root.Lstat(name)
		return err
	})
	return info, err
}

func (r rootFS) SyncDir(name string) error {
	return r.do("syncdir", name, func(root *os.Root) error {
		dir, err := root.OpenFile(name, os.O_RDONLY|dirFlags, 0)
		if err != nil {
			return err
		}
		return syncOpenDir(dir)
	})
}
