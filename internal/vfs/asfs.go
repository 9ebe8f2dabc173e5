package vfs

import (
	"errors"
	"io"
	"io/fs"
)

// AsFS returns a read-only view of f, so that code over an [fs.FS] reads a
// store's folder too. Its files are io.ReaderAt and io.Seeker, and follow a
// file that grows.
func AsFS(f FS) fs.FS { return readFS{f} }

// readFS is the view. It is an fs.ReadDirFS and an fs.StatFS.
type readFS struct {
	fsys FS
}

func (r readFS) ReadDir(name string) ([]fs.DirEntry, error) { return r.fsys.ReadDir(name) }

func (r readFS) Stat(name string) (fs.FileInfo, error) { return r.fsys.Stat(name) }

func (r readFS) Open(name string) (fs.File, error) {
	info, err := r.fsys.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return &readDir{fsys: r.fsys, name: name, info: info}, nil
	}
	f, err := r.fsys.Open(name)
	if err != nil {
		return nil, err
	}
	return &readFile{f: f, info: info}, nil
}

// readFile is an open file with a position for Read and Seek. ReadAt may be
// called from several goroutines, the others may not.
type readFile struct {
	f    File
	info fs.FileInfo
	off  int64
}

func (r *readFile) Close() error { return r.f.Close() }

func (r *readFile) ReadAt(p []byte, off int64) (int, error) { return r.f.ReadAt(p, off) }

func (r *readFile) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := r.f.ReadAt(p, r.off)
	r.off += int64(n)
	if n > 0 && err == io.EOF {
		err = nil // the next Read says so
	}
	return n, err
}

func (r *readFile) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += r.off
	case io.SeekEnd:
		size, err := r.f.Size()
		if err != nil {
			return 0, err
		}
		offset += size
	default:
		offset = -1
	}
	if offset < 0 {
		return 0, &fs.PathError{Op: "seek", Path: r.info.Name(), Err: fs.ErrInvalid}
	}
	r.off = offset
	return offset, nil
}

// Stat gives the length of now, and all else as it was when the file was opened.
func (r *readFile) Stat() (fs.FileInfo, error) {
	size, err := r.f.Size()
	if err != nil {
		return nil, err
	}
	return sizedInfo{r.info, size}, nil
}

// sizedInfo is a description with another length.
type sizedInfo struct {
	fs.FileInfo
	size int64
}

func (s sizedInfo) Size() int64 { return s.size }

// readDir is an open folder, listed on the first ReadDir.
type readDir struct {
	fsys   FS
	name   string
	info   fs.FileInfo
	listed bool
	rest   []fs.DirEntry
}

func (d *readDir) Close() error { return nil }

func (d *readDir) Stat() (fs.FileInfo, error) { return d.info, nil }

func (d *readDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.fsys.Path(d.name), Err: errors.New("is a folder")}
}

func (d *readDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if !d.listed {
		rest, err := d.fsys.ReadDir(d.name)
		if err != nil {
			return nil, err
		}
		d.rest, d.listed = rest, true
	}
	if n > 0 && len(d.rest) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(d.rest) {
		n = len(d.rest)
	}
	list := d.rest[:n:n]
	d.rest = d.rest[n:]
	return list, nil
}
