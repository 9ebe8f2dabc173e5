package vfs

import (
	"io/fs"
	"path"
)

// Sub returns the folder name of a folder, which need not exist yet. What is done
// in it is done by fsys, with name in front.
func Sub(fsys FS, name string) FS { return subFS{fsys, name} }

type subFS struct {
	of  FS
	dir string
}

// at returns the name in the folder above. One that is not valid is left so.
func (s subFS) at(name string) string {
	if !validName(name) {
		return s.dir + "/" + name
	}
	return path.Join(s.dir, name)
}

func (s subFS) Path(name string) string             { return s.of.Path(s.at(name)) }
func (s subFS) Open(name string) (File, error)      { return s.of.Open(s.at(name)) }
func (s subFS) OpenWrite(name string) (File, error) { return s.of.OpenWrite(s.at(name)) }
func (s subFS) Create(name string) (File, error)    { return s.of.Create(s.at(name)) }
func (s subFS) Rename(oldname, newname string) error {
	return s.of.Rename(s.at(oldname), s.at(newname))
}
func (s subFS) Link(oldname, newname string) error         { return s.of.Link(s.at(oldname), s.at(newname)) }
func (s subFS) Remove(name string) error                   { return s.of.Remove(s.at(name)) }
func (s subFS) ReadDir(name string) ([]fs.DirEntry, error) { return s.of.ReadDir(s.at(name)) }
func (s subFS) Stat(name string) (fs.FileInfo, error)      { return s.of.Stat(s.at(name)) }
func (s subFS) SyncDir(name string) error                  { return s.of.SyncDir(s.at(name)) }
func (s subFS) SyncOwnName() error                         { return s.of.SyncDir(path.Dir(s.dir)) }
func (s subFS) Locked(name string) (bool, error)           { return s.of.Locked(s.at(name)) }
func (s subFS) Free() (int64, error)                       { return s.of.Free() }

func (s subFS) Lock(name, holder string) (Lock, string, error) {
	return s.of.Lock(s.at(name), holder)
}

func (s subFS) Mkdir(name string) error {
	err := s.of.Mkdir(s.at(name))
	if err == nil && name == "." {
		err = s.SyncOwnName()
	}
	return err
}
