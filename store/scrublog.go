package store

import (
	"errors"
	"maps"
	"time"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// load reads what is remembered.
func (s *scrubber) load() {
	m, err := integrity.LoadScrubLog(vfs.AsFS(s.db.fs))
	if err != nil {
		s.db.opt.Logger.Warn("what was verified when is not known any more", "path", s.db.report.Path, "err", err)
	}
	now := time.Now() // what is later was damaged, or a clock was wrong: it would never be read again
	maps.DeleteFunc(m, func(_ segment.Ref, x integrity.Scrubbed) bool { return x.Verified.After(now) })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.memory = m
}

// save writes the memory, unless it was written a moment ago and this is not
// the last time. What cannot be written is verified again some day.
func (s *scrubber) save(last bool) {
	if !last && time.Since(s.saved) < scrubSave {
		return
	}
	s.mu.Lock()
	b, err := s.memory.Marshal()
	none := len(s.memory) == 0
	s.mu.Unlock()
	if none {
		return
	}
	s.saved = time.Now()
	if err == nil {
		err = s.write(b)
	}
	if err != nil {
		s.db.opt.Logger.Warn("cannot remember what was verified when", "path", s.db.report.Path, "err", err)
	}
}

// write replaces the file, so that a crash leaves the old one or the new one.
func (s *scrubber) write(b []byte) error {
	fsys, tmp := s.db.fs, integrity.ScrubLogName+".tmp"
	if err := vfs.IgnoreAbsent(fsys.Remove(tmp)); err != nil {
		return err
	}
	f, err := fsys.Create(tmp)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, 0)
	if err == nil {
		err = f.Sync() // before the name says that it is whole
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = fsys.Rename(tmp, integrity.ScrubLogName)
	}
	if err != nil {
		return errors.Join(err, vfs.IgnoreAbsent(fsys.Remove(tmp)))
	}
	return fsys.SyncDir(".")
}
