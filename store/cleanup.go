package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// cleanUp removes what has no use, and finishes the seals that a crash
// interrupted. All of it is on the disk before recovery writes anything.
func (db *DB) cleanUp(st storeState) error {
	rep := &db.report
	old := st.Tmps
	if st.Restoring { // the store is whole, so the restore had only this left to do
		old = append(old, integrity.RestoringName)
	}
	for _, e := range st.Empty {
		if e != st.Next {
			old = append(old, e.Name)
		}
	}
	for _, d := range st.Dups {
		if db.whole(d[0]) {
			old = append(old, d[1].Name)
			continue
		}
		rep.Notes = append(rep.Notes, fmt.Sprintf("%s is damaged, so %s, of which it was made, is kept; a repair of the store heals it", d[0].Name, d[1].Name))
	}
	for _, e := range st.beside() {
		if st.hasAll(e) {
			old = append(old, e.Name)
		} else {
			rep.LeftAlone = append(rep.LeftAlone, e.Name)
		}
	}
	rep.LeftAlone = append(rep.LeftAlone, st.Others...)
	if err := db.remove(old...); err != nil {
		return err
	}
	for _, p := range st.Parts {
		if p.Bytes != nil && !p.Sealed {
			if err := db.finishSeal(p, p.Entry == st.Newest); err != nil {
				return err
			}
		}
	}
	return nil
}

// whole reports whether all of a sealed segment is what was sealed, so that the log
// that it was written anew from can go.
func (db *DB) whole(e *integrity.Entry) bool {
	f, err := db.fs.Open(e.Name)
	if err != nil {
		return false
	}
	defer f.Close()
	_, findings, err := integrity.VerifySealed(context.Background(), f, e.Size, integrity.VerifyOptions{Ref: e.Header.Ref})
	return err == nil && len(findings) == 0
}

// beside returns the sound segments of this store that are not of its set.
func (st storeState) beside() []*integrity.Entry {
	return slices.DeleteFunc(slices.Clone(st.Files), func(e *integrity.Entry) bool {
		return e == st.Newest || st.Live.Has(e.Header.Ref)
	})
}

// hasAll reports whether the newest log has all that is in e, which it replaced.
func (st storeState) hasAll(e *integrity.Entry) bool {
	h := st.Newest.Header
	return e.Header.Ref == h.Replaced && e.Header.Ref == h.Parent
}

// remove unlinks files, durably.
func (db *DB) remove(names ...string) error {
	for _, n := range names {
		if err := vfs.IgnoreAbsent(db.fs.Remove(n)); err != nil {
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
func (db *DB) finishSeal(p *integrity.Part, must bool) error {
	anew := must
	f, err := db.fs.OpenWrite(p.Name)
	if errors.Is(err, fs.ErrPermission) {
		anew = true
		f, err = db.fs.Open(p.Name)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	id := p.Header.Ref.ID
	err = sealFile(db.fs, f, id, p.Footer.RecordsEnd, anew)
	if err != nil && !anew {
		err = sealFile(db.fs, f, id, p.Footer.RecordsEnd, true)
	}
	if err != nil && must {
		return noRoom(err)
	}
	if err != nil {
		db.report.Notes = append(db.report.Notes, fmt.Sprintf("%s could not be sealed: %v", p.Name, err))
		return nil
	}
	fileOf(p).path = db.fs.Path(sealName(id))
	db.report.Sealed = append(db.report.Sealed, sealName(id))
	return nil
}

// clear removes the log that recovery wrote anew: the last step, which the
// next open takes if this one does not come to it.
func (db *DB) clear(st storeState) error {
	if st.Clean {
		return nil
	}
	if st.V.Successor == (segment.Ref{}) {
		return db.remove(st.Newest.Name)
	}
	if st.Next != nil {
		return db.remove(st.Next.Name)
	}
	return nil
}
