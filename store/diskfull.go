package store

import (
	"errors"
	"fmt"

	"github.com/varve-db/varve/internal/vfs"
)

// roomAgain tries whether there is room again. The error says that there is
// none. The caller holds db.mu.
func (db *DB) roomAgain() error {
	err := db.spare.prepare(db, db.nextID)
	if db.setFull(errors.Is(err, ErrDiskFull)); !db.full {
		return nil
	}
	return err
}

// fits reports whether n bytes can be written, as far as one can know, with all
// that comes with them, and still leave a reserve.
func (db *DB) fits(n int64) bool {
	free, err := db.fs.Free()
	return err != nil || 2*n+minReserve <= free
}

// diskFull turns the system's error for a full disk into the error of a refused commit.
func diskFull(err error) error {
	if vfs.IsDiskFull(err) {
		return &DiskFullError{Err: err}
	}
	return err
}

// noRoom is diskFull for what is no commit.
func noRoom(err error) error {
	if vfs.IsDiskFull(err) && !errors.Is(err, ErrDiskFull) {
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	}
	return err
}

// keptIfFull is diskFull for what will be tried again.
func keptIfFull(err error) error {
	if vfs.IsDiskFull(err) {
		return &DiskFullError{Kept: true, Err: err}
	}
	return err
}
