package crashfs

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"syscall"
	"time"

	"github.com/varve-db/varve/internal/vfs"
)

// handle is an open file.
type handle struct {
	fsys   *FS
	in     *inode
	name   string // that it was opened under
	write  bool
	closed bool
}

func (f *FS) handle(in *inode, name string, write bool) *handle {
	in.handles++
	return &handle{fsys: f, in: in, name: name, write: write}
}

// usable reports why the handle cannot be used, to write or at all.
func (h *handle) usable(write bool) error {
	if h.closed {
		return fs.ErrClosed
	}
	if write && !h.write {
		return syscall.EBADF
	}
	return nil
}

// plain makes a call of which nothing happens where the hook fails it.
func (h *handle) plain(op Op, write bool, fn func() error) error {
	op.Name = h.name
	return h.fsys.plain(op, func() error {
		if err := h.usable(write); err != nil {
			return err
		}
		return fn()
	})
}

func (h *handle) ReadAt(p []byte, off int64) (n int, err error) {
	err = h.plain(Op{Kind: OpRead, Off: off, Len: int64(len(p))}, false, func() error {
		if off < 0 {
			return errors.New("negative offset")
		}
		if off < int64(len(h.in.data)) {
			n = copy(p, h.in.data[off:])
		}
		if n < len(p) {
			return io.EOF
		}
		return nil
	})
	return n, err
}

func (h *handle) WriteAt(p []byte, off int64) (n int, err error) {
	op := Op{Kind: OpWrite, Name: h.name, Off: off, Len: int64(len(p))}
	err = h.fsys.do(op, func(injected error) error {
		if err := h.usable(true); err != nil {
			return err
		}
		if off < 0 {
			return errors.New("negative offset")
		}
		n = len(p)
		if short, ok := errors.AsType[*ShortWrite](injected); ok {
			n = min(short.N, n)
		} else if injected != nil {
			n = 0
		}
		if fits := h.fsys.fits(h.in, off, n); fits < n {
			n, injected = fits, syscall.ENOSPC
		}
		if n > 0 {
			h.fsys.commit(change{kind: OpWrite, ino: h.in.ino, off: off, p: append([]byte(nil), p[:n]...)})
		}
		return injected
	})
	if errors.Is(err, ErrPowerCut) {
		n = 0
	}
	return n, err
}

func (h *handle) Sync() error {
	return h.fsys.do(Op{Kind: OpSync, Name: h.name}, func(injected error) error {
		if err := h.usable(false); err != nil {
			return err
		}
		h.fsys.commit(change{kind: OpSync, ino: h.in.ino, failed: injected != nil})
		return injected
	})
}

func (h *handle) Close() error {
	return h.plain(Op{Kind: OpClose}, false, func() error {
		h.closed = true
		h.in.handles--
		return nil
	})
}

func (h *handle) Size() (n int64, err error) {
	err = h.plain(Op{Kind: OpStat}, false, func() error {
		n = int64(len(h.in.data))
		return nil
	})
	return n, err
}

func (h *handle) Identity() (id vfs.Identity, err error) {
	err = h.plain(Op{Kind: OpStat}, false, func() error {
		id = vfs.Identity{Inode: h.in.ino, Birth: h.in.birth, Changed: h.in.changed, Links: uint64(h.in.links)}
		if h.fsys.noBirths {
			id.Birth = 0
		}
		return nil
	})
	return id, err
}

func (h *handle) Reserve(n int64) error {
	return h.plain(Op{Kind: OpReserve, Len: n}, true, func() error {
		if grow := n - h.in.room(); grow > h.fsys.free() {
			return syscall.ENOSPC
		}
		if n > h.in.reserved {
			h.fsys.commit(change{kind: OpReserve, ino: h.in.ino, off: n})
		}
		return nil
	})
}

func (h *handle) Release() error {
	return h.plain(Op{Kind: OpRelease}, true, func() error {
		h.fsys.commit(change{kind: OpReserve, ino: h.in.ino})
		return nil
	})
}

func (h *handle) Chmod(mode fs.FileMode) error {
	return h.plain(Op{Kind: OpChmod}, false, func() error {
		h.fsys.commit(change{kind: OpChmod, ino: h.in.ino, mode: mode.Perm()})
		return nil
	})
}

// Map is not supported.
func (h *handle) Map(int64) ([]byte, func() error, error) {
	return nil, nil, &fs.PathError{Op: "mmap", Path: h.fsys.Path(h.name), Err: vfs.ErrUnsupported}
}

// WriteBack does nothing: which bytes it brings to the disk is open, and Crash
// tries them all.
func (h *handle) WriteBack(int64, int64) {}

// info describes an inode under a name.
func (in *inode) info(name string) fs.FileInfo {
	mode := in.mode
	if in.dir {
		mode |= fs.ModeDir
	}
	return fileInfo{path.Base(name), int64(len(in.data)), mode}
}

type fileInfo struct {
	name string
	size int64
	mode fs.FileMode
}

func (i fileInfo) Name() string       { return i.name }
func (i fileInfo) Size() int64        { return i.size }
func (i fileInfo) Mode() fs.FileMode  { return i.mode }
func (i fileInfo) ModTime() time.Time { return time.Time{} }
func (i fileInfo) IsDir() bool        { return i.mode.IsDir() }
func (i fileInfo) Sys() any           { return nil }
