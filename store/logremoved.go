package store

import (
	"errors"
	"io/fs"
	"syscall"
	"time"

	"github.com/varve-db/varve/internal/vfs"
)

// lookEvery is how often a store that is written to looks whether its newest log is still
// in its folder: what was removed can still be written and synced, without any error.
const lookEvery = time.Second

// look poisons the store if its newest log, l, is not in its folder any more. It is called
// after a sync, and before what that made durable is acknowledged. It looks once in
// lookEvery; between, it costs a comparison. The caller holds db.ioMu.
func (db *DB) look(l *log, now time.Time) error {
	if now.Sub(db.looked) < lookEvery {
		return nil
	}
	db.looked = now
	return db.lookNow(l)
}

// lookNow is look, at any time.
func (db *DB) lookNow(l *log) error {
	if l.ended || db.failed() != nil { // the sealer gives an ended log another name
		return nil
	}
	if err := missed(db.fs, l); err != nil {
		return db.poison(err)
	}
	return nil
}

// missed returns a GoneError if the name of a log does not name the file in which it is
// written. Where that cannot be found out, it is taken for there: the store can go on.
func missed(fsys vfs.FS, l *log) error {
	own, err := l.f.Identity()
	if err != nil {
		return nil
	}
	gone := &GoneError{Path: l.sf.path, Removed: own.Links == 0}
	if gone.Removed {
		return gone
	}
	f, err := fsys.Open(l.name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, vfs.ErrNotRegular) || errors.Is(err, syscall.ENOTDIR) { // a folder above may be a file now
		return gone
	}
	if err != nil {
		return nil
	}
	defer f.Close() // read-only: nothing can be lost
	there, err := f.Identity()
	if err == nil && (there.Inode != own.Inode || there.Birth != own.Birth) {
		return gone
	}
	return nil
}
