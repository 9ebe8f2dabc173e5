//go:build !linux

package vfs

// Sync is fsync, and F_FULLFSYNC on darwin, where fsync leaves the bytes in
// the disk's own cache.
func (f *file) Sync() error { return f.f.Sync() }
