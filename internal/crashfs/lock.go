package crashfs

import (
	"io/fs"

	"github.com/varve-db/varve/internal/vfs"
)

// Lock takes the lock of a file for this FS object; no clone and no crash state
// has it. Who holds it is durable at once.
func (f *FS) Lock(name, holder string) (vfs.Lock, string, error) {
	var present string
	var l *heldLock
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
			in = f.tree.names[name]
		}
		if f.locks[in.ino] {
			present = vfs.Holder(in.data[:min(len(in.data), vfs.HolderSize)])
			return vfs.ErrLocked
		}
		f.locks[in.ino] = true
		if block := vfs.HolderBlock(holder); f.fits(in, 0, len(block)) == len(block) {
			f.commit(change{kind: opHolder, ino: in.ino, p: block})
		}
		l = &heldLock{handle: f.handle(in, name, true)}
		return nil
	})
	if err != nil {
		return nil, present, err
	}
	return l, "", nil
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

// heldLock is a lock with its file.
type heldLock struct {
	*handle
}

// Close releases the lock.
func (l *heldLock) Close() error {
	return l.fsys.plain(Op{Kind: OpUnlock, Name: l.name}, func() error {
		if l.closed {
			return fs.ErrClosed
		}
		l.closed = true
		l.in.handles--
		delete(l.fsys.locks, l.in.ino)
		return nil
	})
}
