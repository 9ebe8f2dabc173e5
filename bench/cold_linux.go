package main

import (
	"errors"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// evict asks the system to drop files from the page cache, and returns the share
// of their pages that is still there.
func evict(files []string) (left float64, err error) {
	var pages, there int
	for _, name := range files {
		p, n, err := evictOne(name)
		if err != nil {
			return 0, err
		}
		pages, there = pages+p, there+n
	}
	return float64(there) / float64(max(pages, 1)), nil
}

func evictOne(name string) (pages, there int, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	// Pages that wait to be written are not dropped.
	if err := unix.Fdatasync(int(f.Fd())); err != nil {
		return 0, 0, err
	}
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		return 0, 0, err
	}
	return resident(f)
}

// resident counts the pages of a file, and those that are in the page cache.
func resident(f *os.File) (pages, there int, err error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return 0, 0, err
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return 0, 0, err
	}
	vec := make([]byte, (len(b)+os.Getpagesize()-1)/os.Getpagesize())
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), uintptr(unsafe.Pointer(&vec[0])))
	if errno != 0 {
		err = errno
	}
	for _, v := range vec {
		there += int(v & 1)
	}
	return len(vec), there, errors.Join(err, unix.Munmap(b))
}
