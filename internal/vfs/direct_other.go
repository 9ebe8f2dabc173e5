//go:build !linux

package vfs

import "io"

// MostDirect is the most that a Direct reads at once.
const MostDirect = 1 << 20

// Direct reads files past the page cache of the system where the platform is Linux. Here
// it refuses every file.
type Direct struct{}

// Begin reports false: src itself is to be read.
func (*Direct) Begin(src io.ReaderAt, size int64, most int) bool { return false }

// ReadAt is an error.
func (*Direct) ReadAt([]byte, int64) (int, error) { return 0, ErrUnsupported }

// Bytes returns how many bytes were read: none.
func (*Direct) Bytes() int64 { return 0 }

// End does nothing.
func (*Direct) End() {}

// Close does nothing.
func (*Direct) Close() {}
