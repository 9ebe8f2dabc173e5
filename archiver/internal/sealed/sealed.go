package sealed

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/segment"
)

// Segment is a segment that was verified, every byte of it.
type Segment struct {
	Store   segment.UUID
	Ref     segment.Ref
	Kind    segment.Kind
	Size    int64
	SHA256  [32]byte // of the whole file
	Summary segment.Summary
}

// Receipt is the receipt of the segment for a target that has it now, as an object.
func (s *Segment) Receipt(targetID, url, object string) receipt.Receipt {
	return receipt.Receipt{
		Target: targetID, URL: url, Store: s.Store, Segment: s.Ref, Kind: s.Kind.String(),
		Object: object, Size: s.Size, SHA256: s.SHA256, Shipped: time.Now().UTC(),
		FirstSeq: s.Summary.FirstSeq, LastSeq: s.Summary.LastSeq,
		FirstTime: s.Summary.FirstTime, LastTime: s.Summary.LastTime,
		Puts: uint64(s.Summary.Puts), Deletes: uint64(s.Summary.Deletes),
	}
}

// Verify reads the sealed segment in src once, in bounded memory, and proves that
// it is the file that was sealed. The error is a *segment.CorruptError, wraps
// segment.ErrVersion, or is that of reading.
func Verify(ctx context.Context, src io.ReaderAt, size int64) (*Segment, error) {
	r, f, err := Footed(until{ctx, src}, size)
	if err != nil {
		return nil, err
	}
	sum, err := f.CheckFile()
	if err != nil {
		return nil, err
	}
	return Summarized(r, f, sum), nil
}

// Footed opens header and footer of a sealed segment.
func Footed(src io.ReaderAt, size int64) (*segment.Reader, *segment.Footer, error) {
	r, err := segment.NewReader(src, size)
	if err != nil {
		return nil, nil, err
	}
	f, err := r.OpenFooter()
	return r, f, Footless(err, r.Header.Ref, size)
}

// Footless turns segment.ErrNoFooter into damage.
func Footless(err error, ref segment.Ref, size int64) error {
	if errors.Is(err, segment.ErrNoFooter) {
		return &segment.CorruptError{Segment: ref, Offset: size, Reason: "a sealed segment without a footer"}
	}
	return err
}

// Summarized is the segment that a header and a footer describe.
func Summarized(r *segment.Reader, f *segment.Footer, sum [32]byte) *Segment {
	return &Segment{
		Store: r.Header.UUID, Ref: r.Header.Ref, Kind: r.Header.Kind,
		Size: r.Size, SHA256: sum, Summary: f.Summary,
	}
}

// until reads from src until ctx ends.
type until struct {
	ctx context.Context
	src io.ReaderAt
}

func (u until) ReadAt(b []byte, off int64) (int, error) {
	if err := context.Cause(u.ctx); err != nil {
		return 0, err
	}
	return u.src.ReadAt(b, off)
}
