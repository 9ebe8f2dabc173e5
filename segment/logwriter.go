package segment

import (
	"crypto/rand"
	"encoding/binary"
	"io"
	"iter"
	"time"
)

// A LogWriter writes a log from its header on, through a buffer: what a restore and a recovery
// end with. It syncs nothing. Its methods are for one goroutine.
type LogWriter struct {
	// What was added: where the next record goes, its sequence number if it is a put or a
	// delete, the time of the newest commit, and how many puts and deletes there are.
	Offset int64
	Next   uint64
	Time   int64
	Data   int64

	f    io.WriterAt
	seed ChecksumSeed
	buf  []byte // not written yet
}

// NewLogWriter returns a writer to an empty file. The header goes there with the first records.
func NewLogWriter(f io.WriterAt, h *Header) *LogWriter {
	b := h.Append(nil)
	return &LogWriter{f: f, seed: h.ChecksumSeed(), Next: h.FirstSeq, Time: h.Time, Offset: int64(len(b)), buf: b}
}

// logBuffer is how many bytes a LogWriter keeps before it writes.
const logBuffer = 1 << 20

// Add appends a record, and returns where it stands, and its size.
func (w *LogWriter) Add(r *Record) (off, size int64, err error) {
	if len(w.buf) > logBuffer {
		if err := w.Flush(); err != nil {
			return 0, 0, err
		}
	}
	n := len(w.buf)
	w.buf = w.seed.AppendRecord(w.buf, w.Offset, r)
	off, size = w.Offset, int64(len(w.buf)-n)
	w.Offset += size
	if r.Kind.Data() {
		w.Data++
		w.Next = r.Seq + 1
	}
	if r.Commit() {
		w.Time = r.Time
	}
	return off, size, nil
}

// Flush writes what was added.
func (w *LogWriter) Flush() error {
	_, err := w.f.WriteAt(w.buf, w.Offset-int64(len(w.buf)))
	w.buf = w.buf[:0]
	return err
}

// AddMark appends a mark that vouches for all before it, which must be synced, and writes it.
func (w *LogWriter) AddMark() error {
	r := Record{Kind: Mark, Flags: FlagCommit | FlagVouch, Seq: w.Next, Time: NextTime(w.Time, time.Now()), Vouch: w.Offset}
	if _, _, err := w.Add(&r); err != nil {
		return err
	}
	return w.Flush()
}

// AddClose appends two close records of a file, and writes them. They vouch for all before the
// first, which must be synced. Two, so that one damaged byte does not make the close unclean.
func (w *LogWriter) AddClose(inode uint64, birth int64) error {
	vouch := w.Offset
	for range 2 {
		r := Record{Seq: w.Next, Time: NextTime(w.Time, time.Now()), Vouch: vouch}
		r.SetClose(inode, birth)
		w.Time = r.Time
		if _, _, err := w.Add(&r); err != nil {
			return err
		}
	}
	return w.Flush()
}

// DataRecords yields the puts and deletes of a log up to an offset, with their values, as they
// go into another log: without what they vouch for. There are none where the offset is the
// first record's or less.
func DataRecords(src io.ReaderAt, end int64) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		if end <= 0 {
			return
		}
		r, err := NewReader(src, end)
		if err != nil {
			yield(nil, err)
			return
		}
		if end <= r.HeaderSize {
			return
		}
		for rec, err := range r.Records(Span{To: end, Depth: WithValues}) {
			if err == nil && !rec.Kind.Data() {
				continue
			}
			if err == nil {
				rec.Flags &^= FlagVouch
			}
			if !yield(rec, err) || err != nil {
				return
			}
		}
	}
}

// NewTimeline returns a random timeline.
func NewTimeline() Timeline {
	var b [8]byte
	for {
		rand.Read(b[:]) // never fails
		if n := binary.LittleEndian.Uint64(b[:]); n != 0 {
			return Timeline(n)
		}
	}
}
