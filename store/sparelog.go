package store

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"sync"
	"sync/atomic"

	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// spare is the next log: a name, made durable ahead so that a roll costs a
// writer nothing, and room on the disk, the reserve that pays for deletes and
// footers when the disk is full.
type spare struct {
	mu       sync.Mutex   // guards what follows; after DB.mu in the lock order, and never held when that is taken
	covered  atomic.Int64 // the reserve pays for so many bytes that are not written yet; read without mu
	taken    segment.ID   // the newest log that has its file, or is getting it
	id       segment.ID
	f        vfs.File // nil: there is none
	reserved int64    // bytes; zero where the file system cannot reserve
	err      error    // why the last attempt failed
}

// minReserve is the least that is a reserve: a footer and some tombstones.
const minReserve = 8 << 10

// prepare makes the file of the next log, and reserves its room, unless it is
// done. An error that wraps ErrDiskFull means that puts have to be refused.
func (db *DB) prepare() error {
	db.mu.Lock()
	id := db.nextID
	db.mu.Unlock()
	err := db.spare.prepare(db, id)
	db.mu.Lock()
	defer db.mu.Unlock()
	db.setFull(errors.Is(err, ErrDiskFull))
	return err
}

func (s *spare) prepare(db *DB, id segment.ID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.f == nil {
		if id <= s.taken {
			return nil // a roll was faster; its file must not be taken for the spare
		}
		f, err := db.createLog(id)
		if err != nil {
			s.err = diskFull(err)
			return s.err
		}
		s.f, s.id, s.reserved = f, id, 0
	}
	if s.reserved == 0 {
		s.reserved, s.err = reserve(db.fs, s.f, db.opt.SegmentSize)
		s.covered.Store(s.reserved)
		if s.reserved == 0 && s.err == nil {
			s.covered.Store(math.MaxInt64) // nobody can say
		}
	}
	return s.err
}

// reserve sets aside room for a log of that size and its footer, or a quarter of
// what is free where that is less. It returns how much: zero where the file
// system knows no such thing.
func reserve(fsys vfs.FS, f vfs.File, size int64) (int64, error) {
	want := max(size+size/8, minReserve)
	if free, err := fsys.Free(); err == nil && free/4 < want {
		want = free / 4
	}
	if want < minReserve {
		return 0, &DiskFullError{Err: fmt.Errorf("%s: too little is free to set room aside for the next log", fsys.Path("."))}
	}
	err := f.Reserve(want)
	if errors.Is(err, vfs.ErrUnsupported) {
		return 0, nil
	}
	if err != nil {
		return 0, diskFull(err)
	}
	return want, nil
}

// createLog makes the empty file of a log and its name durable.
func (db *DB) createLog(id segment.ID) (vfs.File, error) {
	name := logName(id)
	f, err := db.fs.Create(name)
	if errors.Is(err, fs.ErrExist) {
		// Left by an attempt that failed after the file was made. Ids are not
		// used again, so it can only be an empty one of ours.
		f, err = db.reuse(name, err)
	}
	if err != nil {
		return nil, err
	}
	if err := db.fs.SyncDir("."); err != nil {
		return nil, errors.Join(err, f.Close(), db.fs.Remove(name))
	}
	return f, nil
}

// reuse opens the empty file name; one that is not empty is the error cause.
func (db *DB) reuse(name string, cause error) (vfs.File, error) {
	f, err := db.fs.OpenWrite(name)
	if err != nil {
		return nil, err
	}
	if n, err := f.Size(); err != nil || n != 0 {
		return nil, errors.Join(cause, err, f.Close())
	}
	return f, nil
}

// takeSpare returns the file of the log id, which is to be begun.
func (db *DB) takeSpare(id segment.ID) (vfs.File, error) {
	s := &db.spare
	s.mu.Lock()
	s.taken = max(s.taken, id)
	if s.f != nil && s.id == id {
		f := s.f
		if s.reserved > 0 && s.reserved < db.opt.SegmentSize {
			s.covered.Store(0) // not enough for the log that it is now
		}
		s.f, s.reserved = nil, 0
		s.mu.Unlock()
		db.keeper.wake() // to prepare the next
		return f, nil
	}
	s.covered.Store(0)
	s.mu.Unlock()
	db.keeper.wake()
	f, err := db.createLog(id)
	if err != nil {
		return nil, keptIfFull(err)
	}
	_, err = reserve(db.fs, f, db.opt.SegmentSize)
	if errors.Is(err, ErrDiskFull) {
		db.mu.Lock()
		db.setFull(true)
		db.mu.Unlock()
		err = nil
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// spendSpare gives the reserve back to the file system, so that what is
// committed already can be written. It reports whether there was any. From then
// on puts are refused until the reserve is there again.
func (db *DB) spendSpare() bool {
	s := &db.spare
	s.mu.Lock()
	spent := s.f != nil && s.reserved > 0 && s.f.Release() == nil
	if spent {
		s.reserved = 0
		s.covered.Store(0)
	}
	s.mu.Unlock()
	db.mu.Lock()
	db.setFull(true)
	db.mu.Unlock()
	return spent
}

// dropSpare removes the file of a log that was not begun. If the removal is
// lost in a crash, an empty file stays, which the next open removes.
func (db *DB) dropSpare() error {
	s := &db.spare
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.f == nil {
		return nil
	}
	err := errors.Join(s.f.Close(), db.fs.Remove(logName(s.id)))
	s.f = nil
	return err
}
