package crashfs

import (
	"io"
	"io/fs"

	"github.com/varve-db/varve/internal/vfs"
)

// Lock takes the lock of a file for this FS object; no clone and no crash state
// has it.
func (f *FS) Lock(name, holder string) (io.Closer, string, error) {
	var present string
	var ino uint64
	err := f.named(OpLock, name, func() error {
		in, err := f.lookup(name)
		if err == nil && in.dir {
			return vfs.ErrNotRegular
		}
		if err != nil {
			if err := f.vacant(name); err != nil {
				return err
			}
			f.commit(change{kind: OpCreate, name: name})
		}
		if err == nil && f.locks[in.ino] {
			present = string(in.data)
			return vfs.ErrLocked
		}
		f.commit(change{kind: opSet, name: name, p: []byte(holder)})
		ino = f.tree.names[name].ino
		f.locks[ino] = true
		return nil
	})
	if err != nil {
		return nil, present, err
	}
	return &heldLock{fsys: f, name: name, ino: ino}, "", nil
}

// Locked reports whether the lock of a file is held.
func (f *FS) Locked(name string) (held bool, err error) {
	err = f.named(OpLocked, name, func() error {
		in := f.tree.names[name]
		held = in != nil && f.locks[in.ino]
		return nil
	})
	return held, err
}

type heldLock struct {
	fsys   *FS
	name   string
	ino    uint64
	closed bool
}

// Close releases the lock.
func (l *heldLock) Close() error {
	return l.fsys.plain(Op{Kind: OpUnlock, Name: l.name}, func() error {
		if l.closed {
			return fs.ErrClosed
		}
		l.closed = true
		delete(l.fsys.locks, l.ino)
		return nil
	})
}
