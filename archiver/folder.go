package archiver

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// folder is what lies where a store is restored to.
type folder struct {
	fsys   vfs.FS
	segs   []*localSeg              // with a sound header, under the name of a segment or a log, in order of ref
	seals  map[headerKey]*localSeg  // those of segs that are sealed
	tmps   map[segment.ID]*localSeg // temporary files, hdr nil where it is not sound
	bare   []*localSeg              // without a sound header, under the name of a segment or a log
	others []string                 // what no store has
	maxID  segment.ID
}

// localSeg is one file.
type localSeg struct {
	name string
	id   segment.ID // by the name
	ext  string
	size int64
	hdr  *segment.Header
}

// lookAt reads the headers of the files in a folder.
func lookAt(fsys vfs.FS) (*folder, error) {
	names, err := fsys.ReadDir(".")
	if err != nil {
		return nil, err
	}
	d := &folder{fsys: fsys, seals: map[headerKey]*localSeg{}, tmps: map[segment.ID]*localSeg{}}
	for _, n := range names {
		base, ext, _ := strings.Cut(n.Name(), ".")
		id, err := strconv.ParseUint(base, 10, 64)
		numbered := err == nil && len(base) == 20 && n.Type().IsRegular()
		x := &localSeg{name: n.Name(), id: segment.ID(id), ext: ext}
		switch {
		case numbered && (ext == "seg" || ext == "open" || ext == "tmp"):
			if err := x.read(fsys); err != nil {
				return nil, err
			}
			d.add(x)
		case numbered && strings.HasSuffix(ext, ".torn"), n.Name() == lockName, n.Name() == integrity.RestoringName, n.Name() == "receipts", n.Name() == "quarantine",
			n.Name() == "scrub.json", n.Name() == "snapshots.log", vfs.OfVolume(n):
		default:
			d.others = append(d.others, n.Name())
		}
	}
	slices.SortFunc(d.segs, func(a, b *localSeg) int { return a.hdr.Ref.Compare(b.hdr.Ref) })
	return d, nil
}

// lockName is the file that a store's writer holds the lock of.
const lockName = "LOCK"

func (d *folder) add(x *localSeg) {
	d.maxID = max(d.maxID, x.id)
	if x.hdr != nil {
		d.maxID = max(d.maxID, x.hdr.Ref.ID)
	}
	switch {
	case x.ext == "tmp":
		d.tmps[x.id] = x
	case x.hdr == nil:
		d.bare = append(d.bare, x)
	default:
		d.segs = append(d.segs, x)
		if x.ext == "seg" {
			d.seals[headerKey{x.hdr.UUID, x.hdr.Ref}] = x
		}
	}
}

// read reads the header, if there is a sound one.
func (x *localSeg) read(fsys vfs.FS) error {
	f, err := fsys.Open(x.name)
	if err != nil {
		return err
	}
	defer f.Close()
	if x.size, err = f.Size(); err != nil {
		return err
	}
	r, err := segment.NewReader(f, x.size)
	if _, bad := errors.AsType[*segment.CorruptError](err); bad || x.size == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", fsys.Path(x.name), err)
	}
	x.hdr = r.Header
	return nil
}

// sealed returns the sealed segment of a store with a ref, or nil.
func (d *folder) sealed(store segment.UUID, ref segment.Ref) *localSeg {
	return d.seals[headerKey{store, ref}]
}

// remove unlinks files, durably.
func (d *folder) remove(files ...*localSeg) error {
	for _, x := range files {
		if err := ignoreAbsent(d.fsys.Remove(x.name)); err != nil {
			return err
		}
		if x.hdr != nil && x.ext == "seg" {
			delete(d.seals, headerKey{x.hdr.UUID, x.hdr.Ref})
		}
	}
	if len(files) == 0 {
		return nil
	}
	return d.fsys.SyncDir(".")
}

// copyState is how a copy of a store stands: its newest log, and what that says.
type copyState struct {
	log  *localSeg
	v    *integrity.Verdict
	live segment.Set // what the store is made of beside the log, or with it if it was ended
	seq  uint64      // its last sequence number
}

// state judges the newest log of a folder, as an open of it does. It is nil where there is
// none. The error is a *segment.CorruptError for a damaged log, and wraps
// integrity.ErrLostLog where a newer one was there.
func (d *folder) state() (*copyState, error) {
	s := &copyState{}
	for _, x := range d.segs {
		if x.hdr.Kind == segment.Log {
			s.log = x
		}
	}
	if s.log == nil {
		return nil, nil
	}
	f, err := d.fsys.Open(s.log.name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := segment.NewReader(f, s.log.size)
	if err == nil && s.log.ext == "seg" {
		var foot *segment.Footer
		if foot, err = r.OpenFooter(); err == nil {
			r, err = segment.NewReader(f, foot.RecordsEnd)
		}
	}
	if err == nil {
		s.v, err = integrity.JudgeNewest(d.fsys, r, integrity.Log)
	}
	if errors.Is(err, integrity.ErrLostLog) {
		return nil, fmt.Errorf("%s: %w; bring that log back, or restore into another folder", d.fsys.Path("."), err)
	}
	if err != nil {
		return nil, inFile(d.fsys.Path(s.log.name), err)
	}
	s.live, s.seq = s.log.hdr.Live, s.v.NextSeq-1
	for _, e := range s.v.Edits {
		s.live = e.Apply(s.live)
	}
	if s.ended() {
		s.live = s.live.With(s.log.hdr.Ref)
	}
	return s, nil
}

// ended reports whether the newest log was rolled, and none came after it.
func (s *copyState) ended() bool { return s.v.Successor != (segment.Ref{}) }
