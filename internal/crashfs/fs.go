package crashfs

import (
	"io"
	"io/fs"
	"os"
	"sync"
)

// FS is a file system in memory. Its methods may be called from several
// goroutines.
type FS struct {
	mu     sync.Mutex // guards all below, and every inode; hooks are called without it
	tree   tree
	inodes map[uint64]*inode // all that tree names, or a handle keeps
	locks  map[uint64]bool   // by the inode's number

	lastIno  uint64
	clock    int64    // the time: births and changes so far
	noBirths bool     // it tells no birth times
	capacity int64    // bytes; negative is unlimited
	graves   [][]byte // what stood in blocks that are free now

	calls, ops int
	cut        int // the operation at which the power goes; 0 is never
	dead       bool
	hook       func(Op) error
	rec        *Recording
}

// New returns an empty folder with room without limit, whose own name is on the
// disk.
func New() *FS { return newFS(newRoot()) }

// NewUnsynced is New of a folder that somebody made, and whose own name is not on
// the disk: a power cut may take it, with all that is in it, until SyncOwnName or
// Mkdir(".") is called.
func NewUnsynced() *FS {
	f := newFS(nil)
	f.tree.change(nameOp{kind: OpMkdir, in: newRoot()}, ".", "")
	return f
}

// newFS returns the file system whose own folder is root; nil is one that is absent.
func newFS(root *inode) *FS {
	return &FS{tree: newTree(root), inodes: map[uint64]*inode{}, locks: map[uint64]bool{}, capacity: -1}
}

// newRoot returns the folder of an FS, which has no number among its files.
func newRoot() *inode { return &inode{dir: true, mode: 0o700, diskMode: 0o700, links: 1} }

// ForgetBirths makes it a file system that tells no birth times.
func (f *FS) ForgetBirths() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.noBirths = true
}

// Ops returns the number of operations so far: the calls that change something.
func (f *FS) Ops() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ops
}

// Calls returns the number of all calls so far.
func (f *FS) Calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

// CutAt cuts the power at operation n, from 1: it and every call after it
// return ErrPowerCut. What operation n does is pending then, and each Crash
// keeps all, a part, or nothing of it; a sync at n does nothing. Zero takes the
// plan back.
func (f *FS) CutAt(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cut = n
}

// Fail sets a hook that is called before each call; the error that it returns
// is given to the caller, and the call is not made. (A sync that fails so loses
// what it was to write; a *ShortWrite writes a part.) The hook may block, and
// other calls go on meanwhile, and call it, too; op.N is then the number that the operation will
// have if none overtakes it. Nil takes the hook away.
func (f *FS) Fail(hook func(op Op) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

// before counts a call and asks the hook.
func (f *FS) before(op *Op) error {
	f.mu.Lock()
	if f.dead {
		f.mu.Unlock()
		return nil // begin says so
	}
	f.calls++
	op.Call = f.calls
	if op.Kind.Mutates() {
		op.N = f.ops + 1
	}
	hook := f.hook
	f.mu.Unlock()
	if hook == nil {
		return nil
	}
	return hook(*op)
}

// begin numbers an operation, and cuts the power if it is the one. The caller
// holds the mutex.
func (f *FS) begin(op *Op) error {
	if f.dead {
		return ErrPowerCut
	}
	if !op.Kind.Mutates() {
		return nil
	}
	f.ops++
	op.N = f.ops
	if f.rec != nil {
		f.rec.ops = append(f.rec.ops, *op)
	}
	f.dead = f.cut > 0 && f.ops >= f.cut
	if f.dead && (op.Kind == OpSync || op.Kind == OpSyncDir) {
		return ErrPowerCut
	}
	return nil
}

// do makes a call: the hook, the number, fn under the mutex, the error with its path.
func (f *FS) do(op Op, fn func(injected error) error) error {
	injected := f.before(&op)
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.begin(&op)
	if err == nil {
		if err = fn(injected); f.dead {
			err = ErrPowerCut
		}
	}
	return f.wrap(op, err)
}

// plain is do for a call of which nothing happens where the hook fails it.
func (f *FS) plain(op Op, fn func() error) error {
	return f.do(op, func(injected error) error {
		if injected != nil {
			return injected
		}
		return fn()
	})
}

// named is plain, with the name checked.
func (f *FS) named(kind OpKind, name string, fn func() error) error {
	return f.plain(Op{Kind: kind, Name: name}, func() error {
		if !fs.ValidPath(name) {
			return fs.ErrInvalid
		}
		return fn()
	})
}

// wrap gives an error the path, as the operating system's errors have it.
func (f *FS) wrap(op Op, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	if op.Kind == OpRename || op.Kind == OpLink {
		return &os.LinkError{Op: string(op.Kind), Old: f.Path(op.Name), New: f.Path(op.To), Err: err}
	}
	return &fs.PathError{Op: string(op.Kind), Path: f.Path(op.Name), Err: err}
}
