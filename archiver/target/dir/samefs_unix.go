//go:build unix

package dir

import (
	"os"
	"syscall"
)

// SameFileSystem reports whether two folders lie on one file system, so that a disk that fails
// takes both: an archive there is no second copy. It does not recognize two file systems on one
// disk, or two btrfs subvolumes.
func SameFileSystem(storeDir, targetDir string) (bool, error) {
	store, err := os.Stat(storeDir)
	if err != nil {
		return false, err
	}
	target, err := os.Stat(targetDir)
	if err != nil {
		return false, err
	}
	a, ok1 := store.Sys().(*syscall.Stat_t)
	b, ok2 := target.Sys().(*syscall.Stat_t)
	return ok1 && ok2 && a.Dev == b.Dev, nil
}
