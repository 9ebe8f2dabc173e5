package segment

import (
	"errors"
	"fmt"
	"io"
	"iter"
)

// A Reader reads one segment file. It holds no state but the header, so its
// methods may be called from several goroutines if the source allows it.
type Reader struct {
	Header     *Header
	HeaderSize int64 // where the records begin
	Size       int64 // of the file, when the Reader was made

	src  io.ReaderAt
	seed ChecksumSeed
}

// NewReader reads the header of the segment in the first size bytes of src.
// The error is a *CorruptError, wraps ErrVersion, or is the source's.
func NewReader(src io.ReaderAt, size int64) (*Reader, error) {
	first := max(0, min(size, 4096))
	b := make([]byte, first)
	if err := readFull(src, b, 0); err != nil {
		return nil, err
	}
	n, err := HeaderSize(b)
	if err != nil {
		return nil, err
	}
	if n > len(b) && size > first {
		b = make([]byte, min(int64(n), size))
		if err := readFull(src, b, 0); err != nil {
			return nil, err
		}
	}
	h, n, err := ParseHeader(b)
	if err != nil {
		return nil, err
	}
	return &Reader{Header: h, HeaderSize: int64(n), Size: size, src: src, seed: h.ChecksumSeed()}, nil
}

// ReaderFor returns a Reader of a log whose header is not there, but known
// from the record that names it as successor: h needs Kind, UUID, Ref and
// FirstSeq. It is for looking for records, which begin after no header.
func ReaderFor(h *Head, src io.ReaderAt, size int64) *Reader {
	return ReaderOf(&Header{Head: *h}, 0, src, size)
}

// ReaderOf returns a Reader of a segment whose header was read before, and is headerSize
// bytes long. The Reader keeps h, whose sets may be left out: nothing here needs them.
func ReaderOf(h *Header, headerSize int64, src io.ReaderAt, size int64) *Reader {
	return &Reader{Header: h, HeaderSize: headerSize, Size: size, src: src, seed: h.ChecksumSeed()}
}

// named gives an error about the segment's bytes the segment's name.
func (r *Reader) named(err error) error {
	if c := (*CorruptError)(nil); errors.As(err, &c) && c.Segment == (Ref{}) {
		c.Segment = r.Header.Ref
	}
	return err
}

// ChecksumSeed returns what ties the segment's records to it.
func (r *Reader) ChecksumSeed() ChecksumSeed { return r.seed }

// readFull reads len(b) bytes; fewer are an error that names the offset.
func readFull(src io.ReaderAt, b []byte, off int64) error {
	n, err := src.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == io.EOF || err == nil {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read %d bytes at offset %d: %w", len(b), off, err)
}

// Depth says what a walk over records reads of their values.
type Depth int

// Heads skips values, CheckValues reads them and checks their CRC, WithValues
// hands them out as well.
const (
	Heads Depth = iota
	CheckValues
	WithValues
)

// Span is a part of a segment to walk.
type Span struct {
	From int64 // offset of the first record; zero: the first of the segment
	To   int64 // where the records end; zero: the end of the file. Those of a sealed output end at its footer's RecordsEnd
	// Next is the sequence number that is due at From; zero: the header's first.
	Next  uint64
	Depth Depth
}

// Records walks the records of a span in order of offset, up to its end or to an
// End record, after which no record stands. The Record and its bytes are the
// walk's and good for one step. In a log, sequence numbers are proven to be
// contiguous, commit times to grow, and control records to stand in no batch.
//
// The first error ends the walk: a *CorruptError for bytes that do not check,
// a cut-off record included; otherwise what the source said, with the offset.
func (r *Reader) Records(s Span) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		w := r.newWalk(s)
		for w.off < w.end {
			if err := w.step(); err != nil {
				yield(nil, r.named(err))
				return
			}
			if !yield(&w.rec, nil) || w.rec.Kind == End {
				return
			}
		}
	}
}

// RecordAt reads the one record that begins at off and lies before end, with
// its value; it is the caller's. Errors are those of Records; the order of
// records is not checked.
func (r *Reader) RecordAt(off, end int64) (*Record, error) {
	w := r.newWalk(Span{From: off, To: end, Depth: WithValues})
	w.log = false
	if err := w.step(); err != nil {
		return nil, r.named(err)
	}
	return &w.rec, nil
}
