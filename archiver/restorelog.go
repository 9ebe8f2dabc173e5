package archiver

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// A restore ends with a log of its own timeline, as recovery does: the records
// of the log that was cut, up to the point, and none of its edits, since its
// header states the set. It is closed in order, so that the store opens from its
// tables and goes on with this log.

// newTimeline returns a random timeline.
func newTimeline() segment.Timeline {
	var b [8]byte
	for {
		rand.Read(b[:]) // never fails
		if n := binary.LittleEndian.Uint64(b[:]); n != 0 {
			return segment.Timeline(n)
		}
	}
}

// records yields the puts and deletes of a log up to an offset; none where the
// offset is that of its first record or less.
func records(src io.ReaderAt, end int64) iter.Seq2[*segment.Record, error] {
	return func(yield func(*segment.Record, error) bool) {
		if end <= 0 {
			return
		}
		r, err := segment.NewReader(src, end)
		if err != nil {
			yield(nil, err)
			return
		}
		if end <= r.HeaderSize {
			return
		}
		for rec, err := range r.Records(segment.Span{To: end, Depth: segment.WithValues}) {
			if err == nil && !rec.Kind.Data() {
				continue
			}
			if err == nil {
				rec.Flags &^= segment.FlagVouch
			}
			if !yield(rec, err) || err != nil {
				return
			}
		}
	}
}

// logWriter writes a log from its header on.
type logWriter struct {
	f     io.WriterAt
	place segment.Place
	next  uint64 // sequence number
	time  int64  // of the newest commit
	off   int64  // where the next record goes
	buf   []byte // not written yet
}

func newLogWriter(f io.WriterAt, h *segment.Header) *logWriter {
	b := h.Append(nil)
	return &logWriter{f: f, place: h.Place(), next: h.FirstSeq, time: h.Time, off: int64(len(b)), buf: b}
}

// add appends a record.
func (w *logWriter) add(r *segment.Record) error {
	if len(w.buf) > 1<<20 {
		if err := w.flush(); err != nil {
			return err
		}
	}
	n := len(w.buf)
	w.buf = w.place.AppendRecord(w.buf, w.off, r)
	w.off += int64(len(w.buf) - n)
	if r.Kind.Data() {
		w.next = r.Seq + 1
	}
	if r.Commit() {
		w.time = r.Time
	}
	return nil
}

func (w *logWriter) flush() error {
	_, err := w.f.WriteAt(w.buf, w.off-int64(len(w.buf)))
	w.buf = w.buf[:0]
	return err
}

// closeLog appends two close records, which vouch for all before the first. Two,
// so that one damaged byte does not make the close unclean.
func (w *logWriter) closeLog(inode uint64, birth int64) error {
	vouch := w.off
	for range 2 {
		w.time = segment.NextTime(w.time, time.Now())
		r := segment.Record{Seq: w.next, Time: w.time, Vouch: vouch}
		r.SetClose(inode, birth)
		if err := w.add(&r); err != nil {
			return err
		}
	}
	return w.flush()
}

// putLog writes a log with the given records and closes it. It is on the disk under
// its name when putLog returns; until then it has a temporary one.
func putLog(fsys vfs.FS, h *segment.Header, recs iter.Seq2[*segment.Record, error]) (err error) {
	if err := h.Check(); err != nil {
		return err
	}
	tmp := tmpName(h.Ref.ID)
	if err := ignoreAbsent(fsys.Remove(tmp)); err != nil {
		return err
	}
	f, err := fsys.Create(tmp)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(err, ignoreAbsent(fsys.Remove(tmp)))
		}
	}()
	if err := fillLog(f, h, recs); err != nil {
		return err
	}
	if err := fsys.Rename(tmp, logName(h.Ref.ID)); err != nil {
		return err
	}
	return fsys.SyncDir(".") // the name
}

// fillLog writes the bytes of a closed log to an empty file.
func fillLog(f vfs.File, h *segment.Header, recs iter.Seq2[*segment.Record, error]) error {
	id, err := f.Identity()
	if err != nil {
		return err
	}
	w := newLogWriter(f, h)
	for rec, err := range recs {
		if err == nil {
			err = w.add(rec)
		}
		if err != nil {
			return err
		}
	}
	if err := w.flush(); err != nil {
		return err
	}
	if err := f.Sync(); err != nil { // before the close vouches for it
		return err
	}
	if err := w.closeLog(id.Inode, id.Birth); err != nil {
		return err
	}
	return f.Sync()
}

// The names of files in a store's folder.
func logName(id segment.ID) string  { return id.String() + ".open" }
func sealName(id segment.ID) string { return id.String() + ".seg" }
func tmpName(id segment.ID) string  { return id.String() + ".tmp" }
