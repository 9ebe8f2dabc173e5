//go:build darwin || freebsd

package vfs

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// reserve: FreeBSD has no allocation that keeps the length, and APFS frees it
// again when the file is closed.
func reserve(int, int64) error { return ErrUnsupported }

// syncAll: there is no call for one file system, and this one does not wait.
func syncAll(int) error { return unix.Sync() }

// writeBack: there is no such call.
func writeBack(int, int64, int64) {}

// identity reads the times that these systems have in stat.
func identity(fd int) (Identity, error) {
	var st syscall.Stat_t
	if err := retry(func() error { return syscall.Fstat(fd, &st) }); err != nil {
		return Identity{}, err
	}
	return Identity{Inode: st.Ino, Birth: st.Birthtimespec.Nano(), Changed: st.Ctimespec.Nano(), Links: uint64(st.Nlink)}, nil
}

// free counts what an unprivileged user may still take, which on a nearly full
// FreeBSD file system is less than nothing.
func free(path string) (int64, error) {
	var st unix.Statfs_t
	if err := retry(func() error { return unix.Statfs(path, &st) }); err != nil {
		return 0, err
	}
	return max(int64(st.Bavail), 0) * int64(st.Bsize), nil
}
