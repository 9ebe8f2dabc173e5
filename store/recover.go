package store

import (
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/varve-db/varve/index"
	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// Recovery is a copy. The newest log, up to its last whole batch, is written
// anew as the log of a new timeline, and only when that is on the disk under
// its name is the old file removed. So recovery edits nothing, vouches for
// nothing that it only read from a cache, and can be cut off anywhere.

// freshLog writes a log as *.tmp: its header, then the records that fill
// appends, then a mark that vouches for them all. Each step is on the disk before the
// next, and the log has its name, durably, when freshLog returns.
func (db *DB) freshLog(h *segment.Header, fill func(*segment.LogWriter) error) (l *log, err error) {
	if err := db.fs.SyncOwnName(); err != nil { // the folder's name, before a log says that a store is in it
		return nil, err
	}
	tmp := segment.FileName(h.Ref.ID, segment.TempExt)
	if err := vfs.IgnoreAbsent(db.fs.Remove(tmp)); err != nil {
		return nil, err
	}
	f, err := db.fs.Create(tmp)
	if err != nil {
		return nil, noRoom(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(noRoom(err), f.Close(), vfs.IgnoreAbsent(db.fs.Remove(tmp)))
		}
	}()
	w := segment.NewLogWriter(f, h)
	header := w.Offset
	if err := fill(w); err != nil {
		return nil, err
	}
	if err := markAll(f, w); err != nil {
		return nil, err
	}
	if err := db.fs.Rename(tmp, logName(h.Ref.ID)); err != nil {
		return nil, err
	}
	if err := db.fs.SyncDir("."); err != nil { // the name
		return nil, err
	}
	db.lastTime = max(db.lastTime, w.Time) // the mark's, which the next commit must not repeat
	l = db.newLog(h, header)
	l.f, l.end, l.data, l.synced, l.marked, l.touched = f, w.Offset, w.Data, w.Offset, true, true
	l.sf.size.Store(w.Offset)
	l.sf.last.Store(w.Next - 1)
	l.sf.src.Store(newSource(f, max(l.limit, w.Offset), false))
	return l, nil
}

// markAll has everything on the disk, and then a mark that says so.
func markAll(f vfs.File, w *segment.LogWriter) error {
	if err := w.Flush(); err != nil {
		return err
	}
	if err := f.Sync(); err != nil { // before the mark vouches for it
		return err
	}
	if err := w.AddMark(); err != nil {
		return err
	}
	return f.Sync()
}

// create makes the first log of a store.
func (db *DB) create() (*log, error) {
	var u segment.UUID
	rand.Read(u[:])
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80 // random, RFC 9562
	h := &segment.Header{
		Head: segment.Head{Kind: segment.Log, UUID: u, Ref: segment.Ref{Timeline: segment.NewTimeline(), ID: 1},
			FirstSeq: 1, Time: segment.NextTime(0, time.Now()), NextID: 2},
	}
	return db.freshLog(h, func(*segment.LogWriter) error { return nil })
}

// newTimeline is the header of a log that begins a timeline where st ends.
func (st storeState) newTimeline(id segment.ID) *segment.Header {
	old := st.Newest.Header
	h := &segment.Header{
		Head: segment.Head{Kind: segment.Log, UUID: st.UUID, Ref: segment.Ref{Timeline: segment.NewTimeline(), ID: id},
			FirstSeq: st.V.NextSeq, Time: segment.NextTime(st.V.LastTime, time.Now()),
			Parent: old.Ref, ParentSeq: st.V.NextSeq - 1, Replaced: old.Ref, NextID: id + 1},
		Live: st.Live, Retired: st.Retired(),
	}
	if st.V.Successor != (segment.Ref{}) {
		h.Replaced = st.V.Successor
	} else {
		h.FirstSeq = old.FirstSeq
	}
	// What is left alone beside the set is named, so that later opens know of it:
	// a log that nobody knows of may be newer than the newest log.
	for _, e := range st.beside() {
		if !st.hasAll(e) {
			h.Retired = h.Retired.With(e.Header.Ref)
		}
	}
	return h
}

// recover writes the newest log anew, or, if that one was ended, begins the
// one after it, and puts its records into the index.
func (db *DB) recover(st storeState, rep *OpenReport) (*log, error) {
	h := st.newTimeline(db.nextID)
	db.nextID++
	rep.Begun = &Begun{h.Ref.Timeline, h.Parent.Timeline, h.ParentSeq, st.Why}
	if err := db.keepTorn(st, rep); err != nil {
		return nil, err
	}
	v := &db.view
	slot := uint32(len(v.segs))
	l, err := db.freshLog(h, func(w *segment.LogWriter) error {
		if st.V.Successor != (segment.Ref{}) || st.V.End == st.R.HeaderSize {
			return nil
		}
		for rec, err := range st.R.Records(segment.Span{To: st.V.End, Depth: segment.WithValues}) {
			if err != nil {
				return segment.InFile(st.log().path, err)
			}
			if !rec.Kind.Data() {
				continue
			}
			rec.Flags &^= segment.FlagVouch
			off, size, err := w.Add(rec)
			if err != nil {
				return err
			}
			c := change{key: rec.Key, loc: index.Loc{Slot: slot, Offset: off, Size: size}, kind: rec.Kind}
			v.apply(&c)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	v.add(l.sf)
	rep.phase("recovery by copy", l.data, l.end)
	return l, nil
}

// keepTorn writes what recovery cuts off to a file of its own, before anything
// is removed.
func (db *DB) keepTorn(st storeState, rep *OpenReport) error {
	e, from, reason := st.Newest, st.V.End, st.V.Torn
	if st.V.Successor != (segment.Ref{}) {
		if e, from, reason = st.Next, 0, "the first write to the log is not whole"; e == nil {
			return nil
		}
	}
	if e.Size <= from {
		return nil
	}
	rep.Cut = &Cut{Segment: segment.Ref{ID: e.ID}, Offset: from, Bytes: e.Size - from, Reason: reason}
	if e.Header != nil {
		rep.Cut.Segment = e.Header.Ref
	}
	name := fmt.Sprintf("%s.%d.torn", e.ID, from)
	rep.Cut.Kept = db.fs.Path(name)
	return db.writeTorn(e, from, name)
}

func (db *DB) writeTorn(e *integrity.Entry, from int64, name string) error {
	src, err := db.fs.Open(e.Name)
	if err != nil {
		return err
	}
	defer src.Close()
	tmp := segment.FileName(e.ID, segment.TempExt)
	if err := vfs.IgnoreAbsent(db.fs.Remove(tmp)); err != nil {
		return err
	}
	out, err := db.fs.Create(tmp)
	if err != nil {
		return noRoom(err)
	}
	err = copyRange(out, src, from, e.Size)
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return errors.Join(noRoom(err), vfs.IgnoreAbsent(db.fs.Remove(tmp)))
	}
	if err := db.fs.Rename(tmp, name); err != nil {
		return err
	}
	return db.fs.SyncDir(".") // before the old log can go
}
