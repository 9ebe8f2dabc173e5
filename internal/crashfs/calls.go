package crashfs

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/varve-db/varve/internal/vfs"
)

var _ vfs.FS = (*FS)(nil)

// Path returns name below a folder that does not exist.
func (f *FS) Path(name string) string {
	if name == ".." { // as package vfs names what is above
		return "/crashfs/.."
	}
	return path.Join("/crashfs", name)
}

// Open opens a file for reading.
func (f *FS) Open(name string) (vfs.File, error) { return f.open(OpOpen, name) }

// OpenWrite opens a file for reading and writing. Its mode must allow that.
func (f *FS) OpenWrite(name string) (vfs.File, error) { return f.open(OpOpenWrite, name) }

func (f *FS) open(kind OpKind, name string) (vfs.File, error) {
	var h *handle
	err := f.named(kind, name, func() error {
		in, err := f.lookup(name)
		if err != nil {
			return err
		}
		if in.dir {
			return vfs.ErrNotRegular
		}
		if kind == OpOpenWrite && in.mode&0o200 == 0 {
			return syscall.EACCES
		}
		h = f.handle(in, name, kind == OpOpenWrite)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return h, nil
}

// Create makes a file, mode 0600.
func (f *FS) Create(name string) (vfs.File, error) {
	var h *handle
	err := f.named(OpCreate, name, func() error {
		if err := f.vacant(name); err != nil {
			return err
		}
		f.commit(change{kind: OpCreate, name: name})
		h = f.handle(f.tree.names[name], name, true)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return h, nil
}

// lookup returns what stands under a name.
func (f *FS) lookup(name string) (*inode, error) {
	in := f.tree.dir(name)
	if in == nil {
		return nil, syscall.ENOENT
	}
	return in, nil
}

// vacant reports why no file can be made under name.
func (f *FS) vacant(name string) error {
	if _, err := f.lookup(name); err == nil {
		return syscall.EEXIST
	}
	dir, err := f.lookup(path.Dir(name))
	if err == nil && !dir.dir {
		err = syscall.ENOTDIR
	}
	return err
}

// Rename gives a file another name, in place of what stands there, or a folder,
// with what is in it, a name that is free.
func (f *FS) Rename(oldname, newname string) error {
	return f.plain(Op{Kind: OpRename, Name: oldname, To: newname}, func() error {
		if !fs.ValidPath(oldname) || !fs.ValidPath(newname) {
			return fs.ErrInvalid
		}
		in, err := f.lookup(oldname)
		if err != nil {
			return err
		}
		if in.dir && (oldname == "." || strings.HasPrefix(newname+"/", oldname+"/")) {
			return syscall.EINVAL
		}
		if to, err := f.lookup(newname); err == nil && in.dir {
			return syscall.EEXIST // as os.Rename has it
		} else if err == nil && to.dir {
			return syscall.EISDIR
		}
		if err := f.vacant(newname); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if f.tree.names[newname] != in { // two names of one file: both stay
			f.commit(change{kind: OpRename, name: oldname, to: newname})
		}
		return nil
	})
}

// Link gives a file a second name, where there is none. Folders have one.
func (f *FS) Link(oldname, newname string) error {
	return f.plain(Op{Kind: OpLink, Name: oldname, To: newname}, func() error {
		if !fs.ValidPath(oldname) || !fs.ValidPath(newname) {
			return fs.ErrInvalid
		}
		in, err := f.lookup(oldname)
		if err != nil {
			return err
		}
		if in.dir {
			return syscall.EPERM
		}
		if err := f.vacant(newname); err != nil {
			return err
		}
		f.commit(change{kind: OpLink, name: oldname, to: newname})
		return nil
	})
}

// Remove removes a file or an empty folder.
func (f *FS) Remove(name string) error {
	return f.named(OpRemove, name, func() error {
		in, err := f.lookup(name)
		if err != nil {
			return err
		}
		if name == "." || in.dir && len(f.list(name)) > 0 {
			return syscall.ENOTEMPTY
		}
		f.commit(change{kind: OpRemove, name: name})
		return nil
	})
}

// Mkdir makes a folder, if it is not there. Mkdir of "." makes its own name durable.
func (f *FS) Mkdir(name string) error {
	return f.named(OpMkdir, name, func() error {
		in, err := f.lookup(name)
		if name == "." {
			if err != nil {
				f.commit(change{kind: OpMkdir, name: name})
			}
			if !f.dead {
				f.commit(change{kind: OpSyncDir, name: ".."})
			}
			return nil
		}
		if err == nil && in.dir {
			return nil
		}
		if err := f.vacant(name); err != nil {
			return err
		}
		f.commit(change{kind: OpMkdir, name: name})
		return nil
	})
}

// SyncDir makes durable every name made, renamed or removed in a folder.
func (f *FS) SyncDir(name string) error {
	return f.named(OpSyncDir, name, func() error {
		in, err := f.lookup(name)
		if err != nil {
			return err
		}
		if !in.dir {
			return syscall.ENOTDIR
		}
		f.commit(change{kind: OpSyncDir, name: name})
		return nil
	})
}

// SyncOwnName makes the folder's own name durable.
func (f *FS) SyncOwnName() error {
	return f.plain(Op{Kind: OpSyncDir, Name: ".."}, func() error {
		if _, err := f.lookup("."); err != nil {
			return err
		}
		f.commit(change{kind: OpSyncDir, name: ".."})
		return nil
	})
}

// ReadDir lists a folder by name.
func (f *FS) ReadDir(name string) (list []fs.DirEntry, err error) {
	err = f.named(OpReadDir, name, func() error {
		in, err := f.lookup(name)
		if err == nil && !in.dir {
			err = syscall.ENOTDIR
		}
		if err == nil {
			list = f.list(name)
		}
		return err
	})
	return list, err
}

// list returns the entries of a folder, by name.
func (f *FS) list(dir string) []fs.DirEntry {
	list := []fs.DirEntry{}
	for name, in := range f.tree.names {
		if path.Dir(name) == dir {
			list = append(list, fs.FileInfoToDirEntry(in.info(name)))
		}
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list
}

// Stat describes a file.
func (f *FS) Stat(name string) (info fs.FileInfo, err error) {
	err = f.named(OpStat, name, func() error {
		in, err := f.lookup(name)
		if err == nil {
			info = in.info(name)
		}
		return err
	})
	return info, err
}
