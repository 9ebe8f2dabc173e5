package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/varve-db/varve/internal/vfs"
)

// readFS makes an io/fs file system the folder of a Reader. By its type nothing
// in it can be changed: every call that would is an error.
type readFS struct{ fs fs.FS }

var errReadOnly = errors.New("the file system is read-only")

func (r readFS) Path(name string) string                        { return name }
func (r readFS) ReadDir(name string) ([]fs.DirEntry, error)     { return fs.ReadDir(r.fs, name) }
func (r readFS) Stat(name string) (fs.FileInfo, error)          { return fs.Stat(r.fs, name) }
func (r readFS) Locked(string) (bool, error)                    { return false, nil }
func (r readFS) OpenWrite(string) (vfs.File, error)             { return nil, errReadOnly }
func (r readFS) Create(string) (vfs.File, error)                { return nil, errReadOnly }
func (r readFS) Rename(string, string) error                    { return errReadOnly }
func (r readFS) Remove(string) error                            { return errReadOnly }
func (r readFS) Mkdir(string) error                             { return errReadOnly }
func (r readFS) SyncDir(string) error                           { return errReadOnly }
func (r readFS) Lock(string, string) (io.Closer, string, error) { return nil, "", errReadOnly }
func (r readFS) Free() (int64, error)                           { return 0, errReadOnly }

// Open opens a file for reading. One that cannot be read at an offset is read
// into memory.
func (r readFS) Open(name string) (vfs.File, error) {
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
		return readFile{bytes.NewReader(b), nil, int64(len(b))}, nil
	}
	return readFile{at, f, info.Size()}, nil
}

// readFile is a file of a readFS.
type readFile struct {
	io.ReaderAt
	f    fs.File // nil: it is in memory
	size int64
}

func (f readFile) Size() (int64, error) { return f.size, nil }

func (f readFile) Close() error {
	if f.f == nil {
		return nil
	}
	return f.f.Close()
}

// Identity is unknown, so that no log passes for the very file that was closed.
func (f readFile) Identity() (vfs.Identity, error) { return vfs.Identity{}, nil }

func (f readFile) Map(int64) ([]byte, func() error, error) { return nil, nil, vfs.ErrUnsupported }
func (f readFile) WriteAt([]byte, int64) (int, error)      { return 0, errReadOnly }
func (f readFile) Sync() error                             { return errReadOnly }
func (f readFile) Reserve(int64) error                     { return errReadOnly }
func (f readFile) Release() error                          { return errReadOnly }
func (f readFile) Chmod(fs.FileMode) error                 { return errReadOnly }
func (f readFile) WriteBack(int64, int64)                  {}
