package vfs

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// aio has the kernel read while the program goes on, one read at a time, by the io_submit
// family of calls: with O_DIRECT they do not wait. (A read that waits in a goroutine keeps
// one of the few processors of the Go scheduler from work for a while, and io_uring is
// forbidden in many containers.) It must not move after setup.
type aio struct {
	ctx uintptr // the kernel's aio_context_t

	// What the calls point to.
	cb    iocb
	list  [1]*iocb
	event ioEvent
}

// iocb is the kernel's struct iocb, ioEvent its struct io_event. Operation zero is
// a pread.
type iocb struct {
	_   uint64    // data
	_   [2]uint32 // key and flags
	_   [2]uint16 // operation and priority
	fd  uint32
	buf uint64
	n   uint64
	off int64
	_   [2]uint64
}

type ioEvent struct {
	_   [2]uint64
	res int64
	_   int64
}

func (a *aio) setup() error {
	a.ctx, a.list[0] = 0, &a.cb
	return call(unix.SYS_IO_SETUP, 1, uintptr(unsafe.Pointer(&a.ctx)), 0, 0)
}

// begin begins to read into b, which is not of Go's memory and stays until wait or
// destroy has come back.
func (a *aio) begin(fd int, b []byte, off int64) error {
	a.cb = iocb{fd: uint32(fd), buf: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b)))), n: uint64(len(b)), off: off}
	return call(unix.SYS_IO_SUBMIT, a.ctx, 1, uintptr(unsafe.Pointer(&a.list)), 0)
}

// wait returns how many bytes were read, fewer at the end of the file.
func (a *aio) wait() (int, error) {
	if err := call(unix.SYS_IO_GETEVENTS, a.ctx, 1, 1, uintptr(unsafe.Pointer(&a.event))); err != nil {
		return 0, err
	}
	if a.event.res < 0 {
		return 0, unix.Errno(-a.event.res)
	}
	return int(a.event.res), nil
}

// destroy waits until nothing is being read any more.
func (a *aio) destroy() { _ = call(unix.SYS_IO_DESTROY, a.ctx, 0, 0, 0) }

// call makes a system call of up to four arguments, and again if a signal breaks it off.
//
//go:uintptrescapes
func call(trap, a1, a2, a3, a4 uintptr) error {
	return retry(func() error {
		if _, _, errno := unix.Syscall6(trap, a1, a2, a3, a4, 0, 0); errno != 0 {
			return errno
		}
		return nil
	})
}
