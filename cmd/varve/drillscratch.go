package main

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/varve-db/varve/internal/vfs"
)

const (
	scratchPattern = "varve-drill-*"
	scratchLock    = "drill.lock" // held by the drill that works in the folder

	// scratchAge is how old a folder without a lock file is that no drill is about to
	// lock any more.
	scratchAge = 10 * time.Minute
)

// newScratch makes a folder for a drill, locked until release is called, and removes those
// of drills that were killed.
func newScratch(parent string) (dir string, release func() error, err error) {
	if err := sweepScratch(parent); err != nil {
		return "", nil, err
	}
	if dir, err = os.MkdirTemp(parent, scratchPattern); err != nil {
		return "", nil, err
	}
	lock, _, err := vfs.Dir(dir).Lock(scratchLock, "a restore drill")
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	return dir, lock.Close, nil
}

// sweepScratch removes the folders of drills that are not at work any more: nobody holds
// their lock. Folders of others, which this user may not change, stay.
func sweepScratch(parent string) error {
	left, err := filepath.Glob(filepath.Join(parent, scratchPattern))
	if err != nil {
		return err
	}
	for _, dir := range left {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || os.Chmod(dir, info.Mode().Perm()) != nil {
			continue // gone, not a drill's, or another user's
		}
		if _, err := os.Lstat(filepath.Join(dir, scratchLock)); err != nil && time.Since(info.ModTime()) < scratchAge {
			continue // just begun
		}
		lock, _, err := vfs.Dir(dir).Lock(scratchLock, "removed: its drill was killed")
		if err != nil {
			continue // at work, or gone meanwhile
		}
		if err := errors.Join(os.RemoveAll(dir), lock.Close()); err != nil {
			return err
		}
	}
	return nil
}
