package vfs

import (
	"fmt"
	"io"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// MostDirect is the most that a Direct reads at once.
	MostDirect = hugePage / 2

	// minDirect is the length of a file from which on a Direct is worth its making.
	minDirect = 4 << 20

	// directAlign is the alignment of offset, length and memory of direct reads. No
	// file system of today's disks asks for more.
	directAlign = 4 << 10

	// hugePage is the size of a huge page. Memory in one goes to the disk as one piece, where
	// pages of 4 KiB, which lie anywhere, make 256 of a MiB: on a virtual disk
	// at 1.3 GB/s instead of 2.5.
	hugePage = 2 << 20
)

// Direct reads files past the page cache of the system, one after the other, each from
// its beginning to its end: for one who goes once over more than the cache holds. It takes
// the cache from nobody, spares the copy, sees what is on the disk, and has the disk read
// the next piece while the caller works on this one.
//
// The zero value is ready. From the first file on it holds 2 MiB, until Close. It
// is for one goroutine.
type Direct struct {
	aio  aio
	mem  []byte // a mapping with a huge page in it
	buf  []byte // that page
	fd   int    // of the open file; -1: none
	size int64  // of it
	most int    // read at once
	give func() // lets go of the file that was given; nil: nothing to do
	read int64

	halves [2]piece // of buf
	half   int      // the one that was read from last
	ahead  bool     // the other is being read
}

// piece is a part of a file in memory.
type piece struct {
	off int64
	b   []byte
}

// Begin opens the first size bytes of src to be read at most most bytes at once, a multiple of
// 4 KiB up to MostDirect. It reports false where src itself is to be read, for one of these reasons:
// src is no file opened by this package or by package os; it is short; half of it
// is in the page cache; the file system or the system has no such reads.
func (d *Direct) Begin(src io.ReaderAt, size int64, most int) bool {
	if size < minDirect {
		return false
	}
	if h, ok := src.(*Handle); ok { // it stays open, so that who has no handle left waits for this one
		if h.take() != nil {
			return false
		}
		d.give, src = h.give, h.f
	}
	f := osFile(src)
	ok := f != nil && control(f, func(fd int) error {
		if cached(fd, size) {
			return ErrUnsupported
		}
		return d.begin(fd, size, most)
	}) == nil
	if !ok {
		d.giveBack()
	}
	return ok
}

func (d *Direct) giveBack() {
	if d.give != nil {
		d.give()
		d.give = nil
	}
}

// osFile returns the file of the operating system that src reads, or nil.
func osFile(src any) *os.File {
	switch f := src.(type) {
	case *os.File:
		return f
	case *file:
		return f.f
	case *readFile:
		return osFile(f.f)
	case fromFile:
		return osFile(f.f)
	case viewFile:
		return osFile(f.of)
	}
	return nil
}

// cached reports whether half of a file is in the page cache, or that is not known:
// before Linux 6.5.
func cached(fd int, size int64) bool {
	var st unix.Cachestat_t
	if unix.Cachestat(uint(fd), &unix.CachestatRange{Len: uint64(size)}, &st, 0) != nil {
		return true
	}
	return int64(st.Cache)*int64(os.Getpagesize()) >= size/2
}

// begin opens a second handle of what fd has open.
func (d *Direct) begin(fd int, size int64, most int) error {
	if err := d.prepare(); err != nil {
		return err
	}
	// By way of /proc it is the very same file, whatever its name is by now.
	direct, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_RDONLY|unix.O_DIRECT|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	d.fd, d.size, d.most = direct, size, most
	d.halves = [2]piece{}
	return nil
}

// prepare takes what is kept from file to file.
func (d *Direct) prepare() error {
	if d.mem != nil {
		return nil
	}
	mem, err := unix.Mmap(-1, 0, 2*hugePage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	if err := d.aio.setup(); err != nil {
		_ = unix.Munmap(mem)
		return err
	}
	begin := -uintptr(unsafe.Pointer(&mem[0])) % hugePage
	d.mem, d.buf, d.fd = mem, mem[begin:begin+hugePage], -1
	_ = unix.Madvise(d.buf, unix.MADV_HUGEPAGE) // without, it is slower
	return nil
}

// ReadAt implements io.ReaderAt. After an error the file is to be read without d.
func (d *Direct) ReadAt(b []byte, off int64) (n int, err error) {
	for n < len(b) {
		p := &d.halves[d.half]
		skip := off + int64(n) - p.off
		if skip >= 0 && skip < int64(len(p.b)) {
			n += copy(b[n:], p.b[skip:])
		} else if err := d.turn(off + int64(n)); err != nil {
			return n, err
		}
	}
	return n, nil
}

// turn makes the other half the one that is read from, with off in it, and has the next
// piece of the file read into this one.
func (d *Direct) turn(off int64) error {
	next := &d.halves[1-d.half]
	if d.ahead && (off < next.off || off >= next.off+int64(d.most)) {
		if err := d.wait(); err != nil {
			return err
		}
	}
	if !d.ahead {
		if err := d.begun(off &^ (directAlign - 1)); err != nil {
			return err
		}
	}
	if err := d.wait(); err != nil {
		return err
	}
	d.half = 1 - d.half
	end := next.off + int64(len(next.b))
	if off >= end {
		return io.EOF
	}
	if len(next.b) < d.most || end >= d.size {
		return nil
	}
	return d.begun(end)
}

// begun begins to read into the other half.
func (d *Direct) begun(off int64) error {
	i := 1 - d.half
	d.halves[i] = piece{off: off}
	err := d.aio.begin(d.fd, d.buf[i*MostDirect:][:d.most], off)
	d.ahead = err == nil
	return err
}

// wait waits until the other half was read.
func (d *Direct) wait() error {
	d.ahead = false
	n, err := d.aio.wait()
	if err != nil {
		return err
	}
	i := 1 - d.half
	d.halves[i].b = d.buf[i*MostDirect:][:n]
	d.read += int64(n)
	return nil
}

// Bytes returns how many bytes d has read, of all files.
func (d *Direct) Bytes() int64 { return d.read }

// End closes the file. Another may follow.
func (d *Direct) End() {
	if d.mem == nil || d.fd < 0 {
		return
	}
	if d.ahead {
		_ = d.wait() // it is not asked for any more
	}
	unix.Close(d.fd) // it was only read
	d.fd = -1
	d.giveBack()
}

// Close ends the file, if one is open, and lets go of the memory. The zero value is left.
func (d *Direct) Close() {
	if d.mem == nil {
		return
	}
	d.End()
	d.aio.destroy() // before the memory that it may write to
	_ = unix.Munmap(d.mem)
	*d = Direct{}
}
