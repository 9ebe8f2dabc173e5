package store

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/varve-db/varve/segment"
)

// tidy removes what has no use, and finishes the seals that a crash
// interrupted. All of it is on the disk before recovery writes anything.
func (db *DB) tidy(st *standing) error {
	rep := &db.report
	old := st.tmps
	for _, e := range st.empty {
		if e != st.next {
			old = append(old, e.name)
		}
	}
	for _, d := range st.dups {
		old = append(old, d[1].name)
	}
	for _, e := range st.beside() {
		if st.taken(e) {
			old = append(old, e.name)
		} else {
			rep.LeftAlone = append(rep.LeftAlone, e.name)
		}
	}
	rep.LeftAlone = append(rep.LeftAlone, st.others...)
	if err := db.remove(old...); err != nil {
		return err
	}
	for _, p := range st.parts {
		if p.bytes != nil {
			if err := db.finishSeal(p, p.entry == st.newest); err != nil {
				return err
			}
		}
	}
	return nil
}

// beside returns the sound segments of this store that are not of its set.
func (st *standing) beside() []*entry {
	return slices.DeleteFunc(slices.Clone(st.files), func(e *entry) bool {
		return e == st.newest || slices.Contains(st.live, e.hdr.Ref)
	})
}

// taken reports whether the newest log has all that is in e, which it replaced.
func (st *standing) taken(e *entry) bool {
	h := st.newest.hdr
	return e.hdr.Ref == h.Replaced && e.hdr.Ref == h.Parent
}

// remove unlinks files, durably.
func (db *DB) remove(names ...string) error {
	for _, n := range names {
		if err := removeIfThere(db.fs, n); err != nil {
			return err
		}
		db.report.Removed = append(db.report.Removed, n)
	}
	if len(names) == 0 {
		return nil
	}
	return db.fs.SyncDir(".")
}

// finishSeal seals a log that a crash left unsealed. A failure is no reason not
// to open the store: the log can be read as it is. But where no later log was
// begun, nothing tells that the log is on the disk, its last sync may have
// failed, and it may stand in the system's cache alone: then it must be sealed,
// and is written anew. So is one that lost its write permission in an earlier
// attempt.
func (db *DB) finishSeal(p *part, must bool) error {
	anew := must
	f, err := db.fs.OpenWrite(p.name)
	if errors.Is(err, fs.ErrPermission) {
		anew = true
		f, err = db.fs.Open(p.name)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	id := p.hdr.Ref.ID
	err = sealFile(db.fs, f, id, p.footer.RecordsEnd, anew)
	if err != nil && !anew {
		err = sealFile(db.fs, f, id, p.footer.RecordsEnd, true)
	}
	if err != nil && must {
		return noRoom(err)
	}
	if err != nil {
		db.report.Notes = append(db.report.Notes, fmt.Sprintf("%s could not be sealed: %v", p.name, err))
		return nil
	}
	p.sf.path = db.fs.Path(sealName(id))
	db.report.Sealed = append(db.report.Sealed, sealName(id))
	return nil
}

// clear removes the log that recovery wrote anew: the last step, which the
// next open takes if this one does not come to it.
func (db *DB) clear(st *standing) error {
	if st.clean {
		return nil
	}
	if st.v.Successor == (segment.Ref{}) {
		return db.remove(st.newest.name)
	}
	if st.next != nil {
		return db.remove(st.next.name)
	}
	return nil
}
