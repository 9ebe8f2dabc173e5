package restore

import (
	"errors"
	"fmt"
	"slices"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// folder is what lies where a store is restored to.
type folder struct {
	*integrity.Inventory
	seals map[segment.Ref]*integrity.Entry // the sealed segments of the store
	tmps  map[string]*integrity.Entry      // temporary files, by name; the header is nil where it is not sound
	maxID segment.ID
}

// lookAt reads the headers of the files in a folder of the store owner. If owner is zero, that
// is the store that is there.
func lookAt(fsys vfs.FS, owner segment.UUID) (*folder, error) {
	s, err := integrity.ReadHeaders(fsys, integrity.HeaderOptions{Owner: owner})
	if err != nil {
		return nil, err
	}
	d := &folder{Inventory: s, seals: map[segment.Ref]*integrity.Entry{}, tmps: map[string]*integrity.Entry{}, maxID: s.MaxID}
	for _, name := range s.Tmps {
		x := integrity.ReadEntry(fsys, name)
		d.tmps[name] = x
		if _, bad := errors.AsType[*segment.CorruptError](x.Err); x.Err != nil && !bad {
			return nil, segment.InFile(fsys.Path(name), x.Err)
		}
		if x.Header != nil {
			d.maxID = max(d.maxID, x.Header.Ref.ID)
		}
	}
	for _, x := range slices.Concat(s.Newer, s.Unread) {
		return nil, segment.InFile(fsys.Path(x.Name), x.Err)
	}
	for _, x := range slices.Backward(s.Own) { // so that the best of several stays
		if d.maxID = max(d.maxID, x.Header.Ref.ID); x.Sealed {
			d.seals[x.Header.Ref] = x
		}
	}
	return d, nil
}

// lockName is the file that a store's writer holds the lock of.
const lockName = segment.LockName

// sealed returns the sealed segment of the store with a ref, or nil.
func (d *folder) sealed(ref segment.Ref) *integrity.Entry { return d.seals[ref] }

// headless returns the files that have the name of a segment or a log, and no sound header.
func (d *folder) headless() []*integrity.Entry { return slices.Concat(d.Bare, d.Empty) }

// remove unlinks files, durably.
func (d *folder) remove(files ...*integrity.Entry) error {
	gone := map[*integrity.Entry]bool{}
	for _, x := range files {
		if err := vfs.IgnoreAbsent(d.FS.Remove(x.Name)); err != nil {
			return err
		}
		gone[x] = true
		if x.Header != nil && d.seals[x.Header.Ref] == x {
			delete(d.seals, x.Header.Ref)
		}
	}
	if len(files) == 0 {
		return nil
	}
	isGone := func(x *integrity.Entry) bool { return gone[x] }
	d.Own, d.Alien = slices.DeleteFunc(d.Own, isGone), slices.DeleteFunc(d.Alien, isGone)
	return d.FS.SyncDir(".")
}

// copyState is the state of a copy of a store: its newest log, and what the log says.
type copyState struct {
	log  *integrity.Entry
	hdr  *segment.Header // its own
	v    *integrity.Verdict
	live segment.Set // the live set, with the log itself only if it was ended
	seq  uint64      // its last sequence number
}

// state judges the newest log of a folder, as an open of it does. It is nil where there is
// none. The error is a *segment.CorruptError for a damaged log, and wraps
// integrity.ErrLostLog where a newer one was there.
func (d *folder) state() (*copyState, error) {
	s := &copyState{log: d.NewestLog()}
	if s.log == nil {
		return nil, nil
	}
	f, err := d.FS.Open(s.log.Name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := segment.NewReader(f, s.log.Size)
	if err == nil && s.log.Sealed {
		var foot *segment.Footer
		if foot, err = r.OpenFooter(); err == nil {
			r, err = segment.NewReader(f, foot.RecordsEnd)
		}
	}
	if err == nil {
		s.v, err = integrity.JudgeNewestIn(d.FS, r, integrity.Log)
	}
	if errors.Is(err, integrity.ErrLostLog) {
		return nil, fmt.Errorf("%s: %w; bring that log back, or restore into another folder", d.FS.Path("."), err)
	}
	if err != nil {
		return nil, segment.InFile(d.FS.Path(s.log.Name), err)
	}
	s.hdr = r.Header
	s.live, s.seq = s.hdr.Live, s.v.NextSeq-1
	for _, e := range s.v.Edits {
		s.live = e.Apply(s.live)
	}
	if s.ended() {
		s.live = s.live.With(s.hdr.Ref)
	}
	return s, nil
}

// ended reports whether the newest log was rolled, and none came after it.
func (s *copyState) ended() bool { return s.v.Successor != (segment.Ref{}) }
