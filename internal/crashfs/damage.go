package crashfs

import (
	"maps"
	"path"
	"slices"
)

// Names returns every file, by name. Folders are left out.
func (f *FS) Names() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for name, in := range f.tree.names {
		if !in.dir {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Bytes returns a copy of a file's content, or nil if there is no such file.
func (f *FS) Bytes(name string) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	in := f.tree.names[name]
	if in == nil {
		return nil
	}
	return append([]byte{}, in.data...)
}

// SetBytes replaces the content of a file, durably, and makes the file and its
// folders if they are absent. It is no operation, and it keeps the identity.
func (f *FS) SetBytes(name string, b []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.commit(change{kind: opSet, name: name, p: append([]byte(nil), b...)})
}

// set is SetBytes under the mutex.
func (f *FS) set(name string, b []byte) {
	f.ensureFolder(path.Dir(name))
	f.ensure(name, false).set(b)
}

// ensureFolder makes a folder, and those above it, durably.
func (f *FS) ensureFolder(dir string) {
	if dir != "." {
		f.ensureFolder(path.Dir(dir))
	}
	f.ensure(dir, true)
}

// ensure returns what stands under name; what it has to make is durable.
func (f *FS) ensure(name string, dir bool) *inode {
	if in := f.tree.dir(name); in != nil {
		return in
	}
	in := f.newInode(dir)
	f.tree.set(name, in)
	f.tree.disk[f.tree.entry(name)] = in
	return in
}

// Clone returns a copy of the file system: of what is durable and of what is
// not, with the same identities, but without open files, locks and hooks.
func (f *FS) Clone() *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.clone()
}

// Kill returns what is left when the process is killed and the power stays on:
// all that was written can be read, what was not synced is still not durable,
// and the locks are gone. The FS itself goes on, apart from it.
func (f *FS) Kill() *FS { return f.Clone() }

// Copy returns what cp -r would make: the same bytes in other inodes, durable.
func (f *FS) Copy() *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := New()
	c.lastIno, c.clock, c.noBirths = f.lastIno, f.clock, f.noBirths
	for _, name := range slices.Sorted(maps.Keys(f.tree.names)) { // folders before what is in them
		from := f.tree.names[name]
		in := c.ensure(name, from.dir)
		in.mode, in.diskMode = from.mode, from.mode
		if !from.dir {
			in.set(from.freeze())
		}
	}
	return c
}

// clone is Clone under the mutex.
func (f *FS) clone() *FS {
	c := New()
	c.tree = f.tree.clone()
	for _, in := range c.tree.inodes() {
		c.inodes[in.ino] = in
	}
	c.lastIno, c.clock, c.capacity, c.ops = f.lastIno, f.clock, f.capacity, f.ops
	c.graves, c.noBirths = slices.Clone(f.graves), f.noBirths
	return c
}
