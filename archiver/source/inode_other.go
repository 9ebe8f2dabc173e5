//go:build !unix

package source

import "io/fs"

// inode returns 0: this platform does not tell.
func inode(fs.FileInfo) uint64 { return 0 }
