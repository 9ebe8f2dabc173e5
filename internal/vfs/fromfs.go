package vfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// FromFS makes the root of any file system a folder of which nothing can be
// changed: every call that would is an error. It is the inverse of AsFS.
func FromFS(fsys fs.FS) FS {
	if r, ok := fsys.(readFS); ok {
		return fromFS{fsys, r.fsys}
	}
	return fromFS{fsys, nil}
}

type fromFS struct {
	fs fs.FS
	of FS // whose view fs is, or nil
}

var errReadOnly = errors.New("the file system is read-only")

func (r fromFS) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(r.fs, name) }
func (r fromFS) Stat(name string) (fs.FileInfo, error)      { return fs.Stat(r.fs, name) }
func (r fromFS) OpenWrite(string) (File, error)             { return nil, errReadOnly }
func (r fromFS) Create(string) (File, error)                { return nil, errReadOnly }
func (r fromFS) Rename(string, string) error                { return errReadOnly }
func (r fromFS) Link(string, string) error                  { return errReadOnly }
func (r fromFS) Remove(string) error                        { return errReadOnly }
func (r fromFS) Mkdir(string) error                         { return errReadOnly }
func (r fromFS) SyncDir(string) error                       { return errReadOnly }
func (r fromFS) SyncOwnName() error                         { return errReadOnly }
func (r fromFS) Lock(string, string) (Lock, string, error)  { return nil, "", errReadOnly }
func (r fromFS) Free() (int64, error)                       { return 0, errReadOnly }

// Path returns the path of the folder behind a view.
func (r fromFS) Path(name string) string {
	if r.of != nil {
		return r.of.Path(name)
	}
	return name
}

// Locked asks the folder behind a view; without one nothing is locked.
func (r fromFS) Locked(name string) (bool, error) {
	if r.of != nil {
		return r.of.Locked(name)
	}
	return false, nil
}

// Open opens a file for reading. One that cannot be read at an offset is read
// into memory. That of a view is opened in the folder behind it: three system calls less for
// each segment of a store (seen with strace), which an open of many segments notices.
func (r fromFS) Open(name string) (File, error) {
	if r.of != nil {
		f, err := r.of.Open(name)
		if err != nil {
			return nil, err
		}
		return viewFile{of: f}, nil
	}
	f, err := r.fs.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("%s: not a regular file", name), f.Close())
	}
	at, ok := f.(io.ReaderAt)
	if !ok {
		b, err := io.ReadAll(f)
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
		return fromFile{ReaderAt: bytes.NewReader(b), size: int64(len(b))}, nil
	}
	return fromFile{ReaderAt: at, f: f, size: info.Size()}, nil
}

// fromFile is a file of a fromFS.
type fromFile struct {
	unchangeable
	io.ReaderAt
	f    fs.File // nil: it is in memory
	size int64
}

func (f fromFile) Size() (int64, error) { return f.size, nil }

func (f fromFile) Close() error {
	if f.f == nil {
		return nil
	}
	return f.f.Close()
}

// Identity is unknown, so that no log passes for the very file that was closed.
func (f fromFile) Identity() (Identity, error) { return Identity{}, nil }

// viewFile is a file of the folder behind a view.
type viewFile struct {
	unchangeable
	of File
}

func (f viewFile) ReadAt(p []byte, off int64) (int, error) { return f.of.ReadAt(p, off) }
func (f viewFile) Size() (int64, error)                    { return f.of.Size() }
func (f viewFile) Identity() (Identity, error)             { return f.of.Identity() }
func (f viewFile) Close() error                            { return f.of.Close() }

// unchangeable is what a File does that cannot be written to.
type unchangeable struct{}

func (unchangeable) Map(int64) ([]byte, func() error, error) { return nil, nil, ErrUnsupported }
func (unchangeable) WriteAt([]byte, int64) (int, error)      { return 0, errReadOnly }
func (unchangeable) Sync() error                             { return errReadOnly }
func (unchangeable) Reserve(int64) error                     { return errReadOnly }
func (unchangeable) Release() error                          { return errReadOnly }
func (unchangeable) Chmod(fs.FileMode) error                 { return errReadOnly }
func (unchangeable) WriteBack(int64, int64)                  {}
