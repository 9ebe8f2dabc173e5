package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// A lock that is found held is tried again, lockTries times in all with
// lockPause between, before it counts as held: a reader's Locked holds it,
// shared, for an instant; so does the child of a fork, until its exec.
const (
	lockTries = 20
	lockPause = 5 * time.Millisecond
)

// maxHolder bounds what is read of the present holder's message.
const maxHolder = 4096

// heldLock is the handle that has the lock. The file stays when it is closed:
// to remove a lock file is to let two holders in, one on the old file and one
// on the new.
type heldLock struct {
	f *os.File
}

// Close releases the lock, at once even where a forked child still has the handle.
func (l heldLock) Close() error {
	err := control(l.f, unlock)
	return errors.Join(err, l.f.Close())
}

func (d dirFS) Lock(name, holder string) (io.Closer, string, error) {
	path, err := d.path("lock", name)
	if err != nil {
		return nil, "", err
	}
	for try := 1; ; try++ {
		f, present, err := tryLock(path)
		if err == nil {
			if err = writeHolder(f, holder); err != nil {
				return nil, "", errors.Join(err, heldLock{f}.Close())
			}
			return heldLock{f}, "", nil
		}
		if try == lockTries || !errors.Is(err, ErrLocked) {
			return nil, present, lockError(path, err)
		}
		time.Sleep(lockPause)
	}
}

// tryLock opens the file, making it where it is absent, and takes the lock
// once. Where it is held it returns the holder's message.
func tryLock(path string) (*os.File, string, error) {
	f, err := openRegular(path, os.O_RDWR|os.O_CREATE|openFlags)
	if err != nil {
		return nil, "", err
	}
	err = control(f, lockExclusive)
	if err == nil && !stillNamed(f, path) {
		err = ErrLocked // somebody removed it between open and lock: try the new one
	}
	if err == nil {
		return f, "", nil
	}
	var present []byte
	if errors.Is(err, ErrLocked) {
		present, _ = io.ReadAll(io.LimitReader(f, maxHolder))
	}
	_ = f.Close() // nothing was written, and the lock's error says more
	return nil, string(present), err
}

// stillNamed reports whether f is the file that path names now.
func stillNamed(f *os.File, path string) bool {
	have, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(path)
	return err == nil && os.SameFile(have, named)
}

// writeHolder replaces the message in a lock file. It overwrites before it
// cuts, so that on a full disk the block that is there is used again; if there
// is none the lock is as good without a message.
func writeHolder(f *os.File, holder string) error {
	_, err := f.WriteAt([]byte(holder), 0)
	if IsDiskFull(err) {
		return f.Truncate(0)
	}
	if err != nil {
		return err
	}
	return f.Truncate(int64(len(holder)))
}

// Locked needs no more than the permission to read: it takes the lock shared,
// so that readers do not find each other, and lets go of it at once.
func (d dirFS) Locked(name string) (bool, error) {
	path, err := d.path("lock", name)
	if err != nil {
		return false, err
	}
	f, err := openRegular(path, os.O_RDONLY|openFlags)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close() // read-only: nothing can be lost
	err = control(f, lockShared)
	if errors.Is(err, ErrLocked) {
		return true, nil
	}
	if err == nil {
		err = control(f, unlock)
	}
	if err != nil {
		return false, lockError(path, err)
	}
	return false, nil
}

// lockError names the file, and says what to make of a file system without locks.
func lockError(path string, err error) error {
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return err
	}
	if errors.Is(err, ErrUnsupported) {
		err = fmt.Errorf("this file system has no locks, so a second writer could not be kept out: %w", err)
	}
	return &fs.PathError{Op: "lock", Path: path, Err: err}
}
