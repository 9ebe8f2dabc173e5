package store

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// sealMode is the mode of a sealed segment: nobody writes to it any more.
const sealMode fs.FileMode = 0o400

// maxBacklog bounds the logs that wait to be sealed before a roll waits, too.
const maxBacklog = 4

// sealer seals rolled logs, one after the other, in the background. A seal that
// fails harms nobody, since the log can be read as it is; it is tried again.
type sealer struct {
	db   *DB
	mu   sync.Mutex // guards what follows; nothing else is locked under it
	cond *sync.Cond // something changed
	todo []*log     // the first may be at work
	late []*log     // failed, and tried again later
	err  error      // of the last failure; nil when none is late
	stop bool
}

// add hands over a log whose End record is on the disk. It waits while the
// backlog is full.
func (s *sealer) add(l *log) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.todo) >= maxBacklog && !s.stop {
		s.cond.Wait()
	}
	s.todo = append(s.todo, l)
	s.cond.Broadcast()
}

// run is the sealer's goroutine. After stop it finishes what it has been given.
func (s *sealer) run() {
	defer s.db.sealed.Done()
	for {
		l := s.next()
		if l == nil {
			return
		}
		err := s.db.seal(l)
		if err != nil {
			s.db.opt.Logger.Warn("seal failed; it will be tried again", "file", l.sf.path, "err", err)
		}
		s.done(l, err)
		s.db.gauge()
	}
}

// next waits for a log to seal; nil means that there will be none.
func (s *sealer) next() *log {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.todo) == 0 {
		if s.stop {
			return nil
		}
		s.cond.Wait()
	}
	return s.todo[0]
}

func (s *sealer) done(l *log, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.todo = s.todo[1:]
	if err == nil && len(s.late) == 0 {
		s.err = nil
	}
	if err != nil {
		s.err = err
		s.late = append(s.late, l)
		if !s.stop {
			time.AfterFunc(time.Second, s.again)
		}
	}
	s.cond.Broadcast()
}

// again puts the failed seals back to be tried.
func (s *sealer) again() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop {
		return
	}
	s.todo, s.late = append(s.todo, s.late...), nil
	s.cond.Broadcast()
}

// wait returns when l is sealed, or why it could not be.
func (s *sealer) wait(l *log) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if slices.Contains(s.late, l) {
			return s.err
		}
		if !slices.Contains(s.todo, l) {
			return nil
		}
		s.cond.Wait()
	}
}

// finish lets the goroutine seal what it has, and what failed once more, and
// end. It returns an error if logs remain that could not be sealed. The next
// open seals them.
func (s *sealer) finish() error {
	s.mu.Lock()
	s.stop = true
	s.todo, s.late = append(s.todo, s.late...), nil
	s.cond.Broadcast()
	s.mu.Unlock()
	s.db.sealed.Wait()
	if len(s.late) > 0 {
		return fmt.Errorf("logs that could not be sealed: %d; the next open will do it: %w", len(s.late), s.err)
	}
	return nil
}

// backlog returns how many logs wait to be sealed.
func (s *sealer) backlog() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.todo) + len(s.late)
}

// seal makes a rolled log a segment: footer, sync, mode, rename, sync of the
// folder. If its own file cannot take the footer, the segment is written anew.
func (db *DB) seal(l *log) error {
	end := l.last.Vouch + segment.EndSize
	id := l.hdr.Ref.ID
	l.sf.sealed.Store(l.last.Time) // before the name says that it is
	var err error
	if !l.spoiled {
		err = sealFile(db.fs, l.f, id, end, false)
		if footerFull(err) && db.spendSpare() {
			err = sealFile(db.fs, l.f, id, end, false)
		}
		if footerFull(err) || segment.IsCorrupt(err) { // a copy would fare no better
			return noRoom(segment.InFile(l.sf.path, err))
		}
		l.spoiled = err != nil // no sync is tried again on that file
	}
	if l.spoiled {
		if again := sealFile(db.fs, l.f, id, end, true); again != nil {
			return noRoom(segment.InFile(l.sf.path, errors.Join(err, again)))
		}
	}
	db.releaseHandle(l, l.spoiled)
	return nil
}

var errFooter = errors.New("the footer cannot be written")

// footerFull reports whether a footer found no room: nothing else was done, and
// it can be written again.
func footerFull(err error) bool { return errors.Is(err, errFooter) && vfs.IsDiskFull(err) }

// sealFile seals the log in f, whose records end at end, under its id.
func sealFile(fsys vfs.FS, f vfs.File, id segment.ID, end int64, anew bool) error {
	r, err := segment.NewReader(f, end)
	if err != nil {
		return err
	}
	footer, _, err := r.Seal(end)
	if err != nil {
		return err
	}
	if anew {
		return writeAnew(fsys, f, id, end, footer)
	}
	if _, err := f.WriteAt(footer, end); err != nil {
		return fmt.Errorf("%w: %w", errFooter, err)
	}
	if err := f.Sync(); err != nil { // the footer, before the name says that it is there
		return err
	}
	if err := errors.Join(f.Release(), f.Chmod(sealMode)); err != nil {
		return err
	}
	if err := fsys.Rename(logName(id), sealName(id)); err != nil {
		if _, there := fsys.Stat(sealName(id)); there != nil || !errors.Is(err, fs.ErrNotExist) {
			return err
		} // else an attempt before this one got so far
	}
	return fsys.SyncDir(".") // the new name
}

// writeAnew writes the first end bytes of f and the footer to a file of their
// own, puts that in place as the sealed segment, and removes the log.
func writeAnew(fsys vfs.FS, f vfs.File, id segment.ID, end int64, footer []byte) (err error) {
	tmp := segment.FileName(id, segment.TempExt)
	if err := vfs.IgnoreAbsent(fsys.Remove(tmp)); err != nil {
		return err
	}
	out, err := fsys.Create(tmp)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, out.Close())
		if err != nil { // its room may be wanted
			err = errors.Join(err, vfs.IgnoreAbsent(fsys.Remove(tmp)))
		}
	}()
	if err := copyRange(out, f, 0, end); err != nil {
		return err
	}
	if _, err := out.WriteAt(footer, end); err != nil {
		return err
	}
	if err := out.Sync(); err != nil {
		return err
	}
	if err := out.Chmod(sealMode); err != nil {
		return err
	}
	if err := fsys.Rename(tmp, sealName(id)); err != nil {
		return err
	}
	if err := fsys.SyncDir("."); err != nil {
		return err
	}
	return vfs.IgnoreAbsent(fsys.Remove(logName(id)))
}

// copyRange copies the bytes [from, to) of src to the beginning of dst.
func copyRange(dst, src vfs.File, from, to int64) error {
	buf := make([]byte, min(to-from, 1<<20))
	for off := from; off < to; {
		b := buf[:min(int64(len(buf)), to-off)]
		if n, err := src.ReadAt(b, off); n < len(b) {
			return err
		}
		if _, err := dst.WriteAt(b, off-from); err != nil {
			return err
		}
		off += int64(len(b))
	}
	return nil
}

// releaseHandle lets go of the handle that the log was written through.
func (db *DB) releaseHandle(l *log, anew bool) {
	if !anew {
		l.sf.ownSealed(l.f, db.few, sealName(l.hdr.Ref.ID))
		return
	}
	f, err := db.fs.Open(sealName(l.hdr.Ref.ID))
	if err != nil {
		l.sf.own(l.f) // readers go on with the unlinked file
		return
	}
	old := l.sf.src.Load()
	next := newSource(f, l.sf.size.Load(), true)
	next.older = &source{data: old.data, unmap: old.unmap, close: l.f.Close, older: old.older}
	l.sf.src.Store(next)
}
