package vfs

import (
	"io/fs"
	"slices"
	"sync"
)

// KeepFew is how many files are kept open where each is read a few times, one after
// the other.
const KeepFew = 8

// Handles opens files for reading, and keeps few of them open, so that any number
// of segments can be looked at whatever the process's limit of open files. A file that
// nobody reads just now may be closed, and is opened again, by its name, when somebody
// does; so it is for files that keep their names. Its methods and those of its
// files may be called from several goroutines.
type Handles struct {
	open func(name string) (File, error)
	keep int // how many files that nobody reads just now stay open

	mu   sync.Mutex
	free sync.Cond // broadcast when a file is not read any more
	busy int       // files that are being read
	idle []*Handle // open and not being read, the one that was read longest ago first
}

// NewHandles returns Handles of the files that open opens for reading, of which keep stay
// open that nobody reads just now.
func NewHandles(open func(name string) (File, error), keep int) *Handles {
	p := &Handles{open: open, keep: keep}
	p.free.L = &p.mu
	return p
}

// Open opens a file. The error is one of opening it.
func (p *Handles) Open(name string) (*Handle, error) {
	h := &Handle{pool: p, name: name}
	if err := h.take(); err != nil {
		return nil, err
	}
	h.give()
	return h, nil
}

// Adopt is Open of a file that is open already, and is the Handles' from then on.
func (p *Handles) Adopt(name string, f File) *Handle {
	h := &Handle{pool: p, name: name, f: f, users: 1}
	p.mu.Lock()
	p.busy++
	p.mu.Unlock()
	h.give()
	return h
}

// Handle is a file of Handles.
type Handle struct {
	pool *Handles
	name string

	// The rest is guarded by pool.mu.
	f      File // nil: not open just now
	users  int  // calls that read f
	closed bool
}

// ReadAt implements io.ReaderAt. The error may be one of opening the file again.
func (h *Handle) ReadAt(b []byte, off int64) (int, error) {
	if err := h.take(); err != nil {
		return 0, err
	}
	defer h.give()
	return h.f.ReadAt(b, off)
}

// Close lets go of the file. A second call does nothing.
func (h *Handle) Close() error {
	p := h.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	h.closed = true
	if h.f == nil || h.users > 0 {
		return nil // the last reader closes it
	}
	p.idle = slices.DeleteFunc(p.idle, func(o *Handle) bool { return o == h })
	return h.shut()
}

// take has the file open until give. Where the process may open no more files it
// closes one that is idle, or waits until one is.
func (h *Handle) take() error {
	p := h.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	for h.f == nil {
		if h.closed {
			return fs.ErrClosed
		}
		f, err := p.open(h.name)
		switch {
		case err == nil:
			h.f = f
		case !IsTooManyFiles(err) || len(p.idle) == 0 && p.busy == 0:
			return TooManyFiles(err)
		case len(p.idle) > 0:
			p.shutIdle()
		default:
			p.free.Wait()
		}
	}
	if h.users++; h.users == 1 {
		p.busy++
		p.idle = slices.DeleteFunc(p.idle, func(o *Handle) bool { return o == h })
	}
	return nil
}

// give ends what take began.
func (h *Handle) give() {
	p := h.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if h.users--; h.users > 0 {
		return
	}
	p.busy--
	if h.closed {
		_ = h.shut() // it was only read
	} else {
		p.idle = append(p.idle, h)
	}
	if len(p.idle) > p.keep {
		p.shutIdle()
	}
	p.free.Broadcast()
}

// shutIdle closes the file that was read longest ago.
func (p *Handles) shutIdle() {
	h := p.idle[0]
	p.idle = slices.Delete(p.idle, 0, 1)
	_ = h.shut() // it was only read
}

// shut closes the file for the time being.
func (h *Handle) shut() error {
	f := h.f
	h.f = nil
	return f.Close()
}
