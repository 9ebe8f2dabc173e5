package vfs

import (
	"io/fs"
	"os"
)

// file is a regular file of the operating system. What differs between the
// platforms takes a descriptor, and is in the files named after them.
type file struct {
	f *os.File
}

func (f *file) ReadAt(p []byte, off int64) (int, error) { return f.f.ReadAt(p, off) }

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.f.WriteAt(p, off)
	return n, explain(err)
}

func (f *file) Close() error { return f.f.Close() }

func (f *file) Chmod(mode fs.FileMode) error { return f.f.Chmod(mode) }

func (f *file) Size() (int64, error) {
	_, size, err := statOpen(f.f)
	return size, err
}

func (f *file) Reserve(n int64) error {
	if n <= 0 {
		return nil
	}
	return f.do("reserve", func(fd int) error { return reserve(fd, n) })
}

// Release truncates the file to the length that it has, which frees the blocks
// beyond on every file system tried (see TestRelease).
func (f *file) Release() error {
	size, err := f.Size()
	if err != nil {
		return err
	}
	return f.f.Truncate(size)
}

func (f *file) Identity() (Identity, error) {
	var id Identity
	err := f.do("stat", func(fd int) (err error) {
		id, err = identity(fd)
		return err
	})
	return id, err
}

func (f *file) Map(n int64) (data []byte, unmap func() error, err error) {
	if n <= 0 {
		return nil, func() error { return nil }, nil
	}
	if int64(int(n)) != n {
		return nil, nil, &fs.PathError{Op: "mmap", Path: f.f.Name(), Err: ErrUnsupported}
	}
	if !maps.take() {
		return nil, nil, &fs.PathError{Op: "mmap", Path: f.f.Name(), Err: ErrTooManyMaps}
	}
	err = f.do("mmap", func(fd int) (err error) {
		data, unmap, err = mmap(fd, int(n))
		return err
	})
	if err != nil {
		maps.give()
		return nil, nil, err
	}
	undo := unmap
	return data, func() error { defer maps.give(); return undo() }, nil
}

func (f *file) WriteBack(off, n int64) {
	if n <= 0 {
		return // to the kernel 0 is "to the end of the file"
	}
	_ = f.do("writeback", func(fd int) error {
		writeBack(fd, off, n)
		return nil
	})
}

// do calls fn with the descriptor, which a Close meanwhile cannot take away.
func (f *file) do(op string, fn func(fd int) error) error {
	if err := control(f.f, fn); err != nil {
		return &fs.PathError{Op: op, Path: f.f.Name(), Err: err}
	}
	return nil
}

// control calls fn with the descriptor of f.
func control(f *os.File, fn func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return fs.ErrClosed // the only reason that it has
	}
	if cerr := conn.Control(func(fd uintptr) { err = fn(int(fd)) }); cerr != nil {
		return fs.ErrClosed
	}
	return err
}
