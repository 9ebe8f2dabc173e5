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

// Path is that of the folder behind a view.
func (r fromFS) Path(name string) string {
	if r.of != nil {
		return r.of.Path(name)
	}
	return name
}

// Locked is that of the folder behind a view; otherwise nothing is.
func (r fromFS) Locked(name string) (bool, error) {
	if r.of != nil {
		return r.of.Locked(name)
	}
	return false, nil
}

// Open opens a file for reading. One that cannot be read at an offset is read
// into memory.
func (r fromFS) Open(name string) (File, error) {
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
		return fromFile{bytes.NewReader(b), nil, int64(len(b))}, nil
	}
	return fromFile{at, f, info.Size()}, nil
}

// fromFile is a file of a fromFS.
type fromFile struct {
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

// Identity is that of the file behind a view. Any other is unknown, so that no log
// passes for the very file that was closed.
func (f fromFile) Identity() (Identity, error) {
	if r, ok := f.f.(*readFile); ok {
		return r.f.Identity()
	}
	return Identity{}, nil
}

func (f fromFile) Map(int64) ([]byte, func() error, error) { return nil, nil, ErrUnsupported }
func (f fromFile) WriteAt([]byte, int64) (int, error)      { return 0, errReadOnly }
func (f fromFile) Sync() error                             { return errReadOnly }
func (f fromFile) Reserve(int64) error                     { return errReadOnly }
func (f fromFile) Release() error                          { return errReadOnly }
func (f fromFile) Chmod(fs.FileMode) error                 { return errReadOnly }
func (f fromFile) WriteBack(int64, int64)                  {}
