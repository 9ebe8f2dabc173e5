package vfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// dirFS is the folder at root. It holds no open handle, so a relative root
// follows the process's working directory.
type dirFS struct {
	root string
}

// Dir returns the folder at path, over the operating system. The folder need
// not exist yet: Mkdir(".") makes it.
func Dir(path string) FS {
	return dirFS{root: path}
}

// Path joins the folder's path and name.
func (d dirFS) Path(name string) string {
	return filepath.Join(d.root, filepath.FromSlash(name))
}

// path checks a name and returns the path that it stands for.
func (d dirFS) path(op, name string) (string, error) {
	if !validName(name) {
		return "", &fs.PathError{Op: op, Path: d.root + "/" + name, Err: fs.ErrInvalid}
	}
	return d.Path(name), nil
}

// validName is fs.ValidPath, but for names that are no UTF-8: the system has such.
func validName(name string) bool { return fs.ValidPath(strings.ToValidUTF8(name, "?")) }

func (d dirFS) Open(name string) (File, error) {
	return d.open(name, os.O_RDONLY|openFlags)
}

func (d dirFS) OpenWrite(name string) (File, error) {
	return d.open(name, os.O_RDWR|openFlags)
}

func (d dirFS) Create(name string) (File, error) {
	return d.open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL|openFlags)
}

// open opens a regular file and nothing else: a device or a pipe under a name
// of the store is an accident, and a symbolic link would take the bytes, and
// the durability of their name, to some other folder.
func (d dirFS) open(name string, flag int) (File, error) {
	path, err := d.path("open", name)
	if err != nil {
		return nil, err
	}
	f, err := openRegular(path, flag)
	if err != nil {
		return nil, err
	}
	return &file{f: f}, nil
}

// openRegular opens the regular file at path. The flags keep the open itself
// from following a link and from waiting on a pipe.
func openRegular(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		// O_NOFOLLOW answers "too many levels of symbolic links", or worse.
		if info, lerr := os.Lstat(path); lerr == nil && info.Mode()&fs.ModeType != 0 && flag&os.O_EXCL == 0 {
			err = notRegular(path, info.Mode())
		}
		return nil, err
	}
	regular, _, err := statOpen(f)
	if err == nil && !regular {
		var info fs.FileInfo
		if info, err = f.Stat(); err == nil {
			err = notRegular(path, info.Mode())
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (d dirFS) Rename(oldname, newname string) error {
	from, err := d.path("rename", oldname)
	if err != nil {
		return err
	}
	to, err := d.path("rename", newname)
	if err != nil {
		return err
	}
	return os.Rename(from, to)
}

func (d dirFS) Link(oldname, newname string) error {
	from, err := d.path("link", oldname)
	if err != nil {
		return err
	}
	to, err := d.path("link", newname)
	if err != nil {
		return err
	}
	return linkError(os.Link(from, to))
}

func (d dirFS) Remove(name string) error {
	path, err := d.path("remove", name)
	if err != nil {
		return err
	}
	return os.Remove(path)
}

func (d dirFS) Mkdir(name string) error {
	path, err := d.path("mkdir", name)
	if err != nil {
		return err
	}
	if name == "." {
		return d.makeOwn()
	}
	err = os.Mkdir(path, 0o700)
	if errors.Is(err, fs.ErrExist) {
		if info, serr := os.Stat(path); serr == nil && info.IsDir() {
			return nil
		}
	}
	return err
}

func (d dirFS) ReadDir(name string) ([]fs.DirEntry, error) {
	path, err := d.path("readdir", name)
	if err != nil {
		return nil, err
	}
	return os.ReadDir(path)
}

func (d dirFS) Stat(name string) (fs.FileInfo, error) {
	path, err := d.path("stat", name)
	if err != nil {
		return nil, err
	}
	if name != "." {
		return os.Lstat(path)
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, lerr := os.Lstat(path); lerr == nil {
			err = danglingLink(path, err)
		}
	}
	return info, err
}

func (d dirFS) SyncDir(name string) error {
	path, err := d.path("syncdir", name)
	if err != nil {
		return err
	}
	return syncDir(path)
}

// syncDir makes the names in a folder durable. A file system that refuses to
// sync a folder at all (EINVAL: some network and FUSE ones) keeps its names by
// its own rules, and there is nothing more that a program could ask of it.
func syncDir(path string) error {
	dir, err := os.OpenFile(path, os.O_RDONLY|dirFlags, 0)
	if err != nil {
		return err
	}
	return syncOpenDir(dir)
}

// syncOpenDir is syncDir of an open folder, which it closes.
func syncOpenDir(dir *os.File) error {
	err := dir.Sync()
	if cannotSyncDir(err) {
		err = nil
	}
	return errors.Join(err, dir.Close())
}

func (d dirFS) Free() (int64, error) {
	n, err := free(d.root)
	if err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: d.root, Err: err}
	}
	return n, nil
}
