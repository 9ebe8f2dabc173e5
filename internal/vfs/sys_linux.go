package vfs

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Sync is fdatasync: it leaves out the times, and with them a write of the
// journal where the length did not change.
func (f *file) Sync() error {
	return f.do("sync", func(fd int) error {
		return retry(func() error { return unix.Fdatasync(fd) })
	})
}

// reserve allocates the blocks and leaves the length.
func reserve(fd int, n int64) error {
	err := retry(func() error { return unix.Fallocate(fd, unix.FALLOC_FL_KEEP_SIZE, 0, n) })
	if errors.Is(err, ErrUnsupported) {
		return ErrUnsupported
	}
	return err
}

// identity asks statx, since stat has no birth time on Linux. Where a sandbox
// forbids statx, or the file system has no birth times, the time is zero.
func identity(fd int) (Identity, error) {
	var stx unix.Statx_t
	const mask = unix.STATX_INO | unix.STATX_NLINK | unix.STATX_BTIME | unix.STATX_CTIME
	err := retry(func() error { return unix.Statx(fd, "", unix.AT_EMPTY_PATH, mask, &stx) })
	if err == unix.ENOSYS || err == unix.EPERM {
		var st unix.Stat_t
		err = retry(func() error { return unix.Fstat(fd, &st) })
		return Identity{Inode: st.Ino, Changed: st.Ctim.Nano(), Links: uint64(st.Nlink)}, err
	}
	if err != nil {
		return Identity{}, err
	}
	id := Identity{Inode: stx.Ino, Links: 1}
	if stx.Mask&unix.STATX_NLINK != 0 {
		id.Links = uint64(stx.Nlink)
	}
	if stx.Mask&unix.STATX_CTIME != 0 {
		id.Changed = stx.Ctime.Sec*1e9 + int64(stx.Ctime.Nsec)
	}
	if stx.Mask&unix.STATX_BTIME != 0 {
		id.Birth = stx.Btime.Sec*1e9 + int64(stx.Btime.Nsec)
	}
	return id, nil
}

// writeBack starts the writing and neither waits for it nor learns its errors,
// which the next fdatasync still reports.
func writeBack(fd int, off, n int64) {
	_ = unix.SyncFileRange(fd, off, n, unix.SYNC_FILE_RANGE_WRITE)
}

// syncAll waits, and learns of errors since Linux 5.8.
func syncAll(fd int) error { return retry(func() error { return unix.Syncfs(fd) }) }

// free counts what an unprivileged user may still take. Blocks are counted in
// fragments, which differ from Bsize on some network and FUSE file systems.
func free(path string) (int64, error) {
	var st unix.Statfs_t
	if err := retry(func() error { return unix.Statfs(path, &st) }); err != nil {
		return 0, err
	}
	unit := st.Frsize
	if unit == 0 {
		unit = st.Bsize
	}
	return int64(st.Bavail) * int64(unit), nil
}
