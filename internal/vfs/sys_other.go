//go:build !linux && !darwin && !freebsd

package vfs

import "os"

const (
	openFlags = 0
	dirFlags  = 0
)

// Elsewhere the package builds, so that tools over plain readers do, but a
// store cannot be locked and so not be written.

func lockExclusive(int) error                     { return ErrUnsupported }
func lockShared(int) error                        { return ErrUnsupported }
func unlock(int) error                            { return nil }
func reserve(int, int64) error                    { return ErrUnsupported }
func mmap(int, int) ([]byte, func() error, error) { return nil, nil, ErrUnsupported }
func writeBack(int, int64, int64)                 {}
func identity(int) (Identity, error)              { return Identity{}, ErrUnsupported }
func syncAll(int) error                           { return ErrUnsupported }
func free(string) (int64, error)                  { return 0, ErrUnsupported }
func cannotSyncDir(error) bool                    { return false }

func statOpen(f *os.File) (regular bool, size int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return false, 0, err
	}
	return info.Mode().IsRegular(), info.Size(), nil
}
