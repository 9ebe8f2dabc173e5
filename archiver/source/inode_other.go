//go:build !unix

package source

import "io/fs"

// inode returns 0: this platform has no inode numbers.
func inode(fs.FileInfo) uint64 { return 0 }
