package crashfs

import "slices"

// maxGraves bounds the freed contents that are remembered for later states.
const maxGraves = 16

// syncDir makes the names of a folder durable, and the modes of its files, and
// frees the files that are gone for good.
func (f *FS) syncDir(dir string) {
	f.tree.syncDir(f.tree.dir(dir))
	alive := map[*inode]bool{}
	for _, in := range f.tree.inodes() {
		alive[in] = true
	}
	for _, in := range f.tree.in(dir) {
		in.diskMode = in.mode
	}
	var freed []*inode
	for _, in := range f.inodes {
		if !alive[in] && in.handles == 0 {
			freed = append(freed, in)
			delete(f.inodes, in.ino)
		}
	}
	slices.SortFunc(freed, byNumber)
	for _, in := range freed {
		f.bury(in)
	}
}

// bury remembers the content of a file whose blocks are free, for the states
// in which they show up under another.
func (f *FS) bury(in *inode) {
	if len(in.data) == 0 {
		return
	}
	f.graves = append(f.graves, in.freeze())
	if n := len(f.graves) - maxGraves; n > 0 {
		f.graves = slices.Delete(f.graves, 0, n)
	}
}
