package store

import (
	"errors"
	"io/fs"
	"slices"
	"time"

	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// log is the log that commits are appended to, or one that was rolled and is
// not sealed yet.
type log struct {
	sf   *segFile
	hdr  *segment.Header
	seed segment.ChecksumSeed
	name string

	// Guarded by DB.mu.
	begun time.Time // when it got its first object
	head  int64     // size of the header; never changes
	end   int64     // where the next record goes
	limit int64     // the end of the records, when it is full
	data  int64     // puts and deletes in it
	last  *segment.Record

	// Guarded by DB.ioMu. What has been written is sf.size.
	f       vfs.File
	synced  int64 // known to be on the disk
	marked  bool  // nothing was written since a mark or a close vouched for all
	ended   bool  // the End record is on the disk
	touched bool  // written to by this process
	prev    *log  // to be ended before the first byte goes to this one

	// again is the end of what was read when the log was opened, for which no
	// sync is known to vouch. It is written again, byte for byte, with the first
	// write, since it may stand in the system's cache alone. What follows it may
	// be vouched for only after that.
	again []byte

	spoiled bool // the sealer's: its own file did not take the footer
}

// tailRoom is kept free in every log: for a mark, and for the End record.
const tailRoom = segment.MarkSize + segment.EndSize

// fits reports whether a batch of that size may go into the log. One that is
// larger than any segment goes into a log without objects, alone.
func (l *log) fits(size int64) bool {
	return l.end+size+tailRoom <= l.limit || l.data == 0
}

// logName is what a log is called until it is sealed, sealName afterwards.
func logName(id segment.ID) string  { return segment.FileName(id, segment.OpenExt) }
func sealName(id segment.ID) string { return segment.FileName(id, segment.SealedExt) }

// newLog is a log that does not exist yet; its header goes to the file with
// the first group.
func (db *DB) newLog(h *segment.Header, headerSize int64) *log {
	sf := &segFile{ref: h.Ref, seed: h.ChecksumSeed(), path: db.fs.Path(logName(h.Ref.ID)), first: h.FirstSeq, unwritten: db.unwritten}
	sf.last.Store(h.FirstSeq - 1)
	return &log{
		sf: sf, hdr: h, seed: sf.seed, name: logName(h.Ref.ID), begun: time.Now(),
		head: headerSize, end: headerSize, limit: headerSize + db.opt.SegmentSize,
	}
}

// roll makes a new log the one that commits go to. The old one gets its End
// record, and the new one its first byte, when the group that begins here is
// written; see startLog. The records that are known to come take need bytes. The caller
// holds db.mu.
func (db *DB) roll(need int64) *group {
	old := db.log
	old.last = &segment.Record{Seq: db.nextSeq, Time: db.tick(time.Now()), Vouch: old.end}
	ref := segment.Ref{Timeline: old.hdr.Ref.Timeline, ID: db.nextID}
	db.nextID++
	old.last.SetEnd(ref)
	db.live = db.live.With(old.hdr.Ref)
	h := &segment.Header{
		Head: segment.Head{Kind: segment.Log, UUID: old.hdr.UUID, Ref: ref, FirstSeq: db.nextSeq, Time: db.lastTime,
			Parent: old.hdr.Parent, ParentSeq: old.hdr.ParentSeq, NextID: db.nextID},
		Live: db.live, Retired: old.hdr.Retired,
	}
	header := h.Append(nil)
	l := db.newLog(h, int64(len(header)))
	l.prev = old
	db.log = l
	buf := append(db.buffer(max(need+int64(len(header)), min(groupSize, db.opt.SegmentSize))), header...)
	g := db.addGroup(&group{log: l, starts: true, records: len(header), buf: buf})
	db.view.rw.Lock()
	db.view.add(l.sf)
	db.view.rw.Unlock()
	return g
}

// startLog ends the log before l and makes l's file ready: the name first, then
// the End record that names it, and only after that is on the disk may a byte go
// to l. So a log that is not the newest never has a tail that could be torn.
// It can be called again after an error. The caller holds db.ioMu.
func (db *DB) startLog(l *log) error {
	if l.f == nil {
		f, err := db.takeSpare(l.hdr.Ref.ID)
		if err != nil {
			return err
		}
		l.f = f
	}
	if old := l.prev; old != nil && !old.ended {
		err := db.endLog(old)
		if isFull(err) && l.f.Release() == nil { // the reserve, if it was the spare
			err = db.endLog(old)
		}
		if err != nil {
			return err
		}
	}
	l.prev = nil
	l.sf.src.Store(newSource(l.f, l.limit, false))
	return nil
}

// endLog writes the last record of a log, which vouches for all before it.
func (db *DB) endLog(l *log) error {
	if len(l.again) > 0 {
		if err := db.write(l, nil, l.sf.size.Load()); err != nil {
			return err
		}
	}
	if err := db.syncLog(l); err != nil {
		return err
	}
	b := l.seed.AppendRecord(nil, l.last.Vouch, l.last)
	if err := db.write(l, b, l.last.Vouch); err != nil {
		return err
	}
	if err := db.syncLog(l); err != nil { // the End, before the successor's first byte
		return err
	}
	l.ended = true
	db.sealer.add(l)
	return nil
}

// write puts b at an offset of the log's file. On a full disk it spends the room
// that is set aside for the next log; an error that wraps ErrDiskFull leaves all
// as it was, to be written again; any other poisons the store.
func (db *DB) write(l *log, b []byte, off int64) error {
	if err := db.failed(); err != nil {
		return err
	}
	if len(l.again) > 0 {
		b, off = slices.Concat(l.again, b), off-int64(len(l.again))
	}
	_, err := l.f.WriteAt(b, off)
	if vfs.IsDiskFull(err) && db.spendSpare() {
		_, err = l.f.WriteAt(b, off)
	}
	if vfs.IsDiskFull(err) {
		return &DiskFullError{Kept: true, Err: l.failed("write", err)}
	}
	if err != nil {
		return db.poison(l.failed("write", err))
	}
	db.gauges.fileBytes.Add(off + int64(len(b)) - l.sf.size.Swap(off+int64(len(b))))
	l.marked, l.touched, l.again = false, true, nil
	if db.buffered() {
		l.f.WriteBack(off, int64(len(b)))
	}
	db.written.Add(int64(len(b)))
	return nil
}

// failed names the file of a call that failed as it is called now, which is not
// how it was called when it was opened.
func (l *log) failed(op string, err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err
	}
	return &fs.PathError{Op: op, Path: l.sf.path, Err: err}
}

// syncLog has on the disk what was written to the log. A failed sync is never
// tried again: the system may have dropped the pages and marked them clean.
func (db *DB) syncLog(l *log) error {
	size := l.sf.size.Load()
	if l.synced == size || len(l.again) > 0 {
		return nil // of the latter, nothing was written by this process
	}
	if err := db.failed(); err != nil {
		return err
	}
	start := time.Now()
	if err := l.f.Sync(); err != nil {
		return db.poison(l.failed("sync", err))
	}
	l.synced = size
	db.syncTook = time.Since(start)
	db.gauges.syncs.observe(db.syncTook)
	db.lastSync.Store(start.UnixNano())
	return db.look(l, start)
}
