package crashfs

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"
)

// entry is the place of a name: in a folder. It stays the same when the folder is
// renamed.
type entry struct {
	dir  *inode // nil: the folder above the FS's own
	base string
}

// own is the entry of the FS's own folder.
var own = entry{base: "."}

// nameOp is a change of names that is not durable yet.
type nameOp struct {
	op    int
	kind  OpKind // OpCreate, OpMkdir, OpLink, OpRename, OpRemove
	at    entry
	to    entry    // of a rename
	in    *inode   // created, linked, renamed; a folder that is removed
	dirs  []*inode // the folders that must be synced to make it durable
	above []*inode // of a rename: the folders on the way to its new name and not to its old one
}

// tree is the names: as they are, as they are on the disk, and the changes
// that lie between, in order.
type tree struct {
	root    *inode            // the FS's own folder as it is; nil: it is absent
	names   map[string]*inode // what is in it, by path
	disk    map[entry]*inode
	pending []nameOp
}

// newTree returns the tree of an empty folder whose name is durable; a nil root is
// one that is absent.
func newTree(root *inode) tree {
	t := tree{root: root, names: map[string]*inode{}, disk: map[entry]*inode{}}
	if root != nil {
		t.disk[own] = root
	}
	return t
}

// dir returns a folder as it is; nil is the one above the FS's own.
func (t *tree) dir(name string) *inode {
	switch name {
	case "..":
		return nil
	case ".":
		return t.root
	}
	return t.names[name]
}

// entry returns the place of a name as it is.
func (t *tree) entry(name string) entry {
	if name == "." {
		return own
	}
	return entry{t.dir(path.Dir(name)), path.Base(name)}
}

// change makes the change in the names as they are, and leaves it to a
// SyncDir to make it on the disk. To is the new name of a rename.
func (t *tree) change(op nameOp, name, to string) {
	op.at = t.entry(name)
	op.dirs = []*inode{op.at.dir}
	if op.kind == OpRename {
		op.to = t.entry(to)
		if op.to.dir != op.at.dir {
			op.dirs = append(op.dirs, op.to.dir)
		}
		for dir := path.Dir(to); dir != "." && !strings.HasPrefix(name, dir+"/"); dir = path.Dir(dir) {
			op.above = append(op.above, t.names[dir])
		}
	}
	switch op.kind {
	case OpRemove:
		delete(t.names, name)
	case OpRename:
		t.move(name, to)
	default:
		t.set(name, op.in)
	}
	t.pending = append(t.pending, op)
}

// set puts something under a name as it is.
func (t *tree) set(name string, in *inode) {
	if name == "." {
		t.root = in
	} else {
		t.names[name] = in
	}
}

// move gives a file, or a folder with what is in it, another name.
func (t *tree) move(from, to string) {
	in := t.names[from]
	delete(t.names, from)
	if in.dir {
		for _, name := range slices.Collect(maps.Keys(t.names)) {
			if rest, ok := strings.CutPrefix(name, from+"/"); ok {
				t.names[to+"/"+rest] = t.names[name]
				delete(t.names, name)
			}
		}
	}
	t.names[to] = in
}

// apply makes the change on the disk.
func (o nameOp) apply(disk map[entry]*inode) {
	switch o.kind {
	case OpCreate, OpMkdir, OpLink:
		disk[o.at] = o.in
	case OpRemove:
		delete(disk, o.at)
	case OpRename:
		delete(disk, o.at)
		disk[o.to] = o.in
	}
}

// syncDir makes the changes in a folder durable.
func (t *tree) syncDir(dir *inode) {
	keep := make([]bool, len(t.pending))
	for i := range t.pending {
		op := &t.pending[i]
		op.dirs = slices.DeleteFunc(slices.Clone(op.dirs), func(d *inode) bool { return d == dir })
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
	if (e.kind == OpMkdir || e.kind == OpRename) && slices.Contains(o.above, e.in) {
		return true
	}
	for _, mine := range []entry{o.at, o.to} {
		for _, theirs := range []entry{e.at, e.to} {
			if mine == (entry{}) || theirs == (entry{}) {
				continue
			}
			if mine == theirs || o.kind == OpRemove && o.in != nil && theirs.dir == o.in {
				return true
			}
		}
	}
	return false
}

// after returns the FS's own folder and the names on the disk if just the given
// changes are kept, with those that they stand on. Without the folder's own name
// all is lost.
func (t *tree) after(keep []bool) (root *inode, names map[string]*inode) {
	t.close(keep)
	disk := maps.Clone(t.disk)
	for i, op := range t.pending {
		if keep[i] {
			op.apply(disk)
		}
	}
	in := map[*inode][]string{}
	for e := range disk {
		in[e.dir] = append(in[e.dir], e.base)
	}
	names = map[string]*inode{}
	var walk func(dir *inode, at string)
	walk = func(dir *inode, at string) {
		for _, base := range in[dir] {
			name, x := path.Join(at, base), disk[entry{dir, base}]
			if names[name] = x; x.dir {
				walk(x, name)
			}
		}
	}
	if root = disk[own]; root != nil {
		walk(root, ".")
	}
	return root, names
}

// inodes returns every inode that a name stands for, stood for on the disk, or
// would stand for if a change were kept, by number.
func (t *tree) inodes() []*inode {
	set := map[*inode]bool{t.root: true}
	for _, in := range t.names {
		set[in] = true
	}
	for e, in := range t.disk {
		set[in], set[e.dir] = true, true
	}
	for _, op := range t.pending {
		set[op.in], set[op.at.dir], set[op.to.dir] = true, true, true
	}
	delete(set, nil)
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
	all := func(list []*inode) (copies []*inode) {
		for _, in := range list {
			copies = append(copies, to[in])
		}
		return copies
	}
	at := func(e entry) entry { return entry{to[e.dir], e.base} }
	c := newTree(nil)
	c.root, c.pending = to[t.root], slices.Clone(t.pending)
	for name, in := range t.names {
		c.names[name] = to[in]
	}
	for e, in := range t.disk {
		c.disk[at(e)] = to[in]
	}
	for i := range c.pending {
		op := &c.pending[i]
		op.at, op.to, op.in = at(op.at), at(op.to), to[op.in]
		op.dirs, op.above = all(op.dirs), all(op.above)
	}
	return c
}
