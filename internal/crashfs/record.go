package crashfs

import (
	"fmt"
	"io/fs"
)

// change is one change of the state. All of them pass through apply, live or
// from a recording, so that a replay cannot differ.
type change struct {
	op       int // the operation that made it
	kind     OpKind
	name, to string
	ino      uint64
	off      int64 // of a write; the bytes of a reservation; the capacity
	p        []byte
	mode     fs.FileMode
	failed   bool // of a sync
}

// Changes that no single operation is: of a whole content, durably, of who holds a lock,
// durably, and of the capacity.
const (
	opSet      OpKind = "set"
	opHolder   OpKind = "holder"
	opCapacity OpKind = "capacity"
)

// commit makes a change, and records it.
func (f *FS) commit(c change) {
	c.op = f.ops
	f.apply(c)
	if f.rec != nil {
		f.rec.changes = append(f.rec.changes, c)
	}
}

func (f *FS) apply(c change) {
	switch c.kind {
	case OpCreate, OpMkdir, OpLink, OpRename, OpRemove:
		f.applyName(c)
	case OpSyncDir:
		f.syncDir(c.name)
	case opSet:
		f.set(c.name, c.p)
	case opCapacity:
		f.capacity = c.off
	default:
		if in := f.inodes[c.ino]; in != nil {
			in.apply(c)
			if c.kind != OpSync {
				f.changed(in)
			}
		}
	}
}

// changed gives a file the time of now.
func (f *FS) changed(in *inode) {
	f.clock++
	in.changed = f.clock
}

// applyName makes a change of names.
func (f *FS) applyName(c change) {
	op, name := nameOp{op: c.op, kind: c.kind}, c.name
	switch c.kind {
	case OpCreate, OpMkdir:
		op.in = f.newInode(c.kind == OpMkdir)
	case OpLink: // changes the new name only
		op.in, name = f.tree.names[c.name], c.to
		op.in.links++
	case OpRename:
		op.in = f.tree.names[c.name]
		f.unlink(c.to)
	case OpRemove:
		if in := f.tree.names[c.name]; in != nil && in.dir {
			op.in = in
		}
		f.unlink(c.name)
	}
	if op.in != nil {
		f.changed(op.in)
	}
	f.tree.change(op, name, c.to)
}

func (f *FS) unlink(name string) {
	if in := f.tree.names[name]; in != nil {
		in.links--
	}
}

func (f *FS) newInode(dir bool) *inode {
	f.lastIno++
	f.clock++
	in := &inode{ino: f.lastIno, birth: f.clock, dir: dir, mode: 0o600, links: 1}
	if dir {
		in.mode = 0o700
	}
	in.diskMode = in.mode
	f.inodes[in.ino] = in
	return in
}

// apply makes a change of one file.
func (in *inode) apply(c change) {
	switch c.kind {
	case OpWrite:
		in.write(c.op, c.off, c.p)
	case opHolder:
		in.setStart(c.p)
	case OpReserve:
		in.reserved = c.off
	case OpChmod:
		in.mode = c.mode
	case OpSync:
		if c.failed {
			in.syncFailed()
		} else {
			in.sync()
		}
	}
}

// Recording is what was done to an FS since its Record. The state after any
// operation can be had from it, while the workload goes on or later.
type Recording struct {
	fsys    *FS // its mutex guards the rest
	base    *FS // as of the first operation
	first   int
	ops     []Op
	changes []change

	at   *FS // the last state that was asked for
	next int // the first change that it lacks
}

// Record starts a recording, and ends the one before.
func (f *FS) Record() *Recording {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rec = &Recording{fsys: f, base: f.clone(), first: f.ops}
	return f.rec
}

// First returns the number of operations before the recording: At(First())
// is the state that it began with.
func (r *Recording) First() int { return r.first }

// Ops returns the number of the last operation recorded.
func (r *Recording) Ops() int {
	r.fsys.mu.Lock()
	defer r.fsys.mu.Unlock()
	return r.first + len(r.ops)
}

// Op returns operation n, for messages.
func (r *Recording) Op(n int) Op {
	r.fsys.mu.Lock()
	defer r.fsys.mu.Unlock()
	if n <= r.first || n > r.first+len(r.ops) {
		return Op{N: n, Kind: "none"}
	}
	return r.ops[n-r.first-1]
}

// At returns the file system as of after operation n, without locks. To ask
// for ascending n is cheapest: each state is made from the one before.
func (r *Recording) At(n int) *FS {
	r.fsys.mu.Lock()
	defer r.fsys.mu.Unlock()
	if n < r.first || n > r.first+len(r.ops) {
		panic(fmt.Sprintf("crashfs: operation %d is not recorded", n))
	}
	if r.at == nil || r.at.ops > n {
		r.at, r.next = r.base.clone(), 0
	}
	for r.next < len(r.changes) && r.changes[r.next].op <= n {
		r.at.apply(r.changes[r.next])
		r.next++
	}
	r.at.ops = n
	return r.at.clone()
}
