package archiver

import (
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/varve-db/varve/archiver/alarm"
	"github.com/varve-db/varve/archiver/source"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/internal/statefile"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

const (
	statusFormat = 1
	statusName   = "status.json"
)

// staleStatus is how long a target that no archiver ships to stays in the status.
const staleStatus = 30 * 24 * time.Hour

// save writes status.json. It keeps the targets of other archivers of this store, except those
// that were never reached.
func (a *Archiver) save() error {
	a.saving.Lock()
	defer a.saving.Unlock()
	s := a.Status()
	old, err := readStatus(a.opt.receipts)
	if err == nil { // one that cannot be read is written anew
		for _, t := range old.Targets {
			i := slices.IndexFunc(s.Targets, func(o TargetStatus) bool { return o.URL == t.URL })
			if i < 0 {
				if t.ID != "" && time.Since(t.Looked) < staleStatus {
					s.Targets = append(s.Targets, t)
				}
			} else if s.Targets[i].Last.IsZero() && s.Targets[i].ID == t.ID {
				s.Targets[i].Last = t.Last
			}
		}
	}
	if err := a.source.Note(func(name string, b []byte) error { return statefile.ReplaceBytes(a.opt.receipts, name, b) }); err != nil {
		a.opt.Logger.Warn("what was read of the segments cannot be noted", "err", err)
	}
	return statefile.Replace(a.opt.receipts, statusName, s)
}

func readStatus(fsys vfs.FS) (Status, error) {
	var s Status
	if err := statefile.Read(fsys, statusName, &s); err != nil {
		return s, err
	}
	if s.Format != statusFormat {
		return s, fmt.Errorf("%s: format %d: %w", fsys.Path(statusName), s.Format, segment.ErrVersion)
	}
	return s, nil
}

// ReadStatus returns what the last archiver at work on a store wrote in its folder of
// receipts, with the backlog as it is now by the segments and the receipts that are
// there, whether the store opens for writing, and whether the archiver runs. No target is
// asked. The error wraps fs.ErrNotExist where no archiver has been at work.
func ReadStatus(store fs.FS, receipts string) (Status, error) {
	return readStatusNow(store, vfs.Dir(receipts), source.CheckOpens)
}

func readStatusNow(store fs.FS, receipts vfs.FS, opens func(fs.FS) error) (Status, error) {
	s, err := readStatus(receipts)
	if err != nil {
		return s, err
	}
	src := source.New(store)
	src.Recall(vfs.AsFS(receipts))
	looked := time.Now().UTC()
	unsealed, err := src.OldestUnsealed()
	if err != nil {
		return s, err
	}
	l, err := src.Segments()
	if err != nil {
		return s, err
	}
	s.Unsealed = Lag{}
	if unsealed != nil {
		s.Unsealed = Lag{unsealed.Ref, unsealed.Age()}
		looked = earlier(looked, unsealed.First)
	}
	s.setBroken(opens(store))
	r, err := receipt.Open(receipts)
	if err != nil {
		return s, err
	}
	for i := range s.Targets {
		if err := s.Targets[i].recount(src, l, r, looked); err != nil {
			return s, err
		}
		if err := s.Targets[i].ask(receipts); err != nil {
			return s, err
		}
	}
	var d Drill
	if statefile.Read(receipts, drillName, &d) == nil { // else as the archiver knew it
		s.Drill = d.Time
	}
	return s, nil
}

// setBroken sets whether the store opens for writing, as just found.
func (s *Status) setBroken(err error) {
	i := slices.IndexFunc(s.Alarms, func(a Alarm) bool { return a.Kind == alarm.Broken })
	switch {
	case err == nil && i >= 0:
		s.Alarms = slices.Delete(s.Alarms, i, i+1)
	case err != nil && i < 0:
		s.Alarms = append(s.Alarms, Alarm{Kind: alarm.Broken, Message: err.Error(), Since: time.Now().UTC()})
	case err != nil:
		s.Alarms[i].Message = err.Error()
	}
}

// recount finds the backlog from what is there. looked: see shipper.status.
func (t *TargetStatus) recount(src *source.Source, l *source.Listing, receipts *receipt.Folder, looked time.Time) error {
	var refs []segment.Ref
	if t.ID != "" { // else it has nothing
		var err error
		if refs, err = receipts.Refs(t.ID); err != nil {
			return err
		}
	}
	var first *source.Sealed
	t.Receipts, t.Segments, t.Bytes, t.Oldest = len(refs), 0, 0, Lag{}
	for _, g := range l.Segments {
		if _, ok := slices.BinarySearchFunc(refs, g.Ref, segment.Ref.Compare); ok {
			continue
		}
		if g.Kind == segment.Log && (first == nil || g.Ref.ID < first.Ref.ID) {
			first = &g
		}
		t.Segments++
		t.Bytes += g.Size
		if age := max(0, time.Since(g.Modified)); t.Oldest.Segment == (segment.Ref{}) || age > t.Oldest.Age {
			t.Oldest = Lag{g.Ref, age}
		}
	}
	t.Through = looked
	for _, g := range l.Damaged {
		t.Through = earlier(t.Through, segment.Nanos(g.Modified)) // at the latest
	}
	if first == nil {
		return nil
	}
	commit := src.FirstCommit(first)
	if commit == 0 { // it is damaged, perhaps
		commit = segment.Nanos(first.Modified)
	}
	t.Through = earlier(t.Through, commit)
	if age := time.Since(time.Unix(0, commit)); age > t.Oldest.Age {
		t.Oldest = Lag{first.Ref, age}
	}
	return nil
}
