//go:build unix

package source

import (
	"io/fs"
	"syscall"
)

// inode returns the number of a file's inode, 0 if it is unknown.
func inode(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Ino)
	}
	return 0
}
