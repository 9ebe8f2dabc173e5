package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
)

// A lock that is found held is tried again, lockTries times in all with
// lockPause between, before it counts as held: a reader's Locked holds it,
// shared, for an instant; so does the child of a fork, until its exec.
const (
	lockTries = 20
	lockPause = 5 * time.Millisecond
)

// heldLock is the handle that has the lock. The file stays when it is closed:
// to remove a lock file is to let two holders in, one on the old file and one
// on the new.
type heldLock struct {
	file
}

// Close releases the lock, at once even where a forked child still has the handle.
func (l *heldLock) Close() error {
	err := control(l.f, unlock)
	return errors.Join(err, l.file.Close())
}

func (d dirFS) Lock(name, holder string) (Lock, string, error) {
	path, err := d.path("lock", name)
	if err != nil {
		return nil, "", err
	}
	for try := 1; ; try++ {
		f, present, err := tryLock(path)
		if err == nil {
			l := &heldLock{file{f: f}}
			if err = writeHolder(l, holder); err != nil {
				return nil, "", errors.Join(err, l.Close())
			}
			return l, "", nil
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
	present := ""
	if errors.Is(err, ErrLocked) {
		b, _ := io.ReadAll(io.LimitReader(f, HolderSize))
		present = Holder(b)
	}
	_ = f.Close() // nothing was written, and the lock's error says more
	return nil, present, err
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

// HolderBlock returns the start of a lock file with a message. It is always of one length,
// so that no longer message of an earlier holder shows behind it.
func HolderBlock(holder string) []byte {
	b := make([]byte, HolderSize)
	copy(b, holder)
	return b
}

// Holder returns the message in a HolderBlock.
func Holder(block []byte) string {
	holder, _, _ := strings.Cut(string(block), "\x00")
	return holder
}

// writeHolder replaces the message in a lock file. On a full disk, where there is no
// block for it, the lock is as good without.
func writeHolder(f io.WriterAt, holder string) error {
	_, err := f.WriteAt(HolderBlock(holder), 0)
	if IsDiskFull(err) {
		return nil
	}
	return err
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
