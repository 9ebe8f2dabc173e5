package crashfs

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"
)

// nameOp is a change of names that is not durable yet.
type nameOp struct {
	op   int
	kind OpKind // OpCreate, OpMkdir, OpLink, OpRename, OpRemove
	name string
	to   string   // of a rename
	in   *inode   // created, linked or renamed
	dirs []string // the folders that must be synced to make it durable
}

// tree is the names: as they are, as they are on the disk, and the changes
// that lie between, in order.
type tree struct {
	names   map[string]*inode
	disk    map[string]*inode
	pending []nameOp
}

// change makes the change in the names as they are, and leaves it to a
// SyncDir to make it on the disk.
func (t *tree) change(op nameOp) {
	op.dirs = []string{path.Dir(op.name)}
	if to := path.Dir(op.to); op.kind == OpRename && to != op.dirs[0] {
		op.dirs = append(op.dirs, to)
	}
	op.apply(t.names)
	t.pending = append(t.pending, op)
}

// apply makes the change in a set of names.
func (o nameOp) apply(names map[string]*inode) {
	switch o.kind {
	case OpCreate, OpMkdir, OpLink:
		names[o.name] = o.in
	case OpRemove:
		delete(names, o.name)
	case OpRename:
		delete(names, o.name)
		names[o.to] = o.in
	}
}

// syncDir makes the changes in a folder durable.
func (t *tree) syncDir(dir string) {
	keep := make([]bool, len(t.pending))
	for i := range t.pending {
		op := &t.pending[i]
		op.dirs = slices.DeleteFunc(slices.Clone(op.dirs), func(d string) bool { return d == dir })
		keep[i] = len(op.dirs) == 0
	}
	t.close(keep)
	var rest []nameOp
	for i, op := range t.pending {
		if keep[i] {
			op.apply(t.disk)
		} else {
			rest = append(rest, op)
		}
	}
	t.pending = rest
}

// close adds to the changes kept those that they stand on: an earlier change
// of the same name, whatever was removed from a folder that is removed, and the
// making of the folder that a file is moved to, which would be lost otherwise.
func (t *tree) close(keep []bool) {
	for j := len(keep) - 1; j >= 0; j-- {
		for i := 0; keep[j] && i < j; i++ {
			keep[i] = keep[i] || t.pending[j].needs(t.pending[i])
		}
	}
}

// needs reports whether o cannot be on the disk without the earlier change e.
func (o nameOp) needs(e nameOp) bool {
	if o.kind == OpRename && e.kind == OpMkdir && strings.HasPrefix(o.to, e.name+"/") {
		return true
	}
	for _, mine := range []string{o.name, o.to} {
		for _, theirs := range []string{e.name, e.to} {
			if mine == "" || theirs == "" {
				continue
			}
			if mine == theirs || o.kind == OpRemove && strings.HasPrefix(theirs, mine+"/") {
				return true
			}
		}
	}
	return false
}

// after returns the names on the disk if just the given changes are kept, with
// those that they stand on.
func (t *tree) after(keep []bool) map[string]*inode {
	t.close(keep)
	names := maps.Clone(t.disk)
	for i, op := range t.pending {
		if keep[i] {
			op.apply(names)
		}
	}
	maps.DeleteFunc(names, func(name string, _ *inode) bool { return !rooted(names, name) })
	return names
}

// rooted reports whether every folder above name is there.
func rooted(names map[string]*inode, name string) bool {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if in := names[dir]; in == nil || !in.dir {
			return false
		}
	}
	return true
}

// inodes returns every inode that a name stands for, stood for on the disk, or
// would stand for if a change were kept, by number.
func (t *tree) inodes() []*inode {
	set := map[*inode]bool{}
	for _, m := range []map[string]*inode{t.names, t.disk} {
		for _, in := range m {
			set[in] = true
		}
	}
	for _, op := range t.pending {
		if op.in != nil {
			set[op.in] = true
		}
	}
	return slices.SortedFunc(maps.Keys(set), byNumber)
}

// byNumber orders inodes, so that what is drawn for them does not depend on
// the order of a map.
func byNumber(a, b *inode) int { return cmp.Compare(a.ino, b.ino) }

// in returns what stands in a folder, in no order.
func (t *tree) in(dir string) (list []*inode) {
	for name, in := range t.names {
		if path.Dir(name) == dir {
			list = append(list, in)
		}
	}
	return list
}

// clone returns a copy of the names over copies of the inodes.
func (t *tree) clone() tree {
	to := map[*inode]*inode{nil: nil}
	for _, in := range t.inodes() {
		to[in] = in.clone()
	}
	c := tree{names: map[string]*inode{}, disk: map[string]*inode{}, pending: slices.Clone(t.pending)}
	for name, in := range t.names {
		c.names[name] = to[in]
	}
	for name, in := range t.disk {
		c.disk[name] = to[in]
	}
	for i := range c.pending {
		c.pending[i].in = to[c.pending[i].in]
	}
	return c
}
