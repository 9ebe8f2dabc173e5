package archiver

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/varve-db/varve/segment"
)

// Shipment is a segment that was verified, every byte of it.
type Shipment struct {
	Store   segment.UUID
	Ref     segment.Ref
	Kind    segment.Kind
	Size    int64
	SHA256  [32]byte // of the whole file
	Summary segment.Summary
}

// receipt is the receipt of the segment for a target that has it now, as an object.
func (s *Shipment) receipt(targetID, url, object string) Receipt {
	return Receipt{
		Target: targetID, URL: url, Store: s.Store, Segment: s.Ref, Kind: s.Kind.String(),
		Object: object, Size: s.Size, SHA256: s.SHA256, Shipped: time.Now().UTC(),
		FirstSeq: s.Summary.FirstSeq, LastSeq: s.Summary.LastSeq,
		FirstTime: s.Summary.FirstTime, LastTime: s.Summary.LastTime,
		Puts: uint64(s.Summary.Puts), Deletes: uint64(s.Summary.Deletes),
	}
}

// verify reads the sealed segment in src once, in bounded memory, and proves that
// it is the file that was sealed. The error is a *segment.CorruptError, wraps
// segment.ErrVersion, or is that of reading.
func verify(ctx context.Context, src io.ReaderAt, size int64) (*Shipment, error) {
	r, f, err := footed(until{ctx, src}, size)
	if err != nil {
		return nil, err
	}
	sum, err := f.CheckFile()
	if err != nil {
		return nil, err
	}
	return shipment(r, f, sum), nil
}

// footed opens header and footer of a sealed segment.
func footed(src io.ReaderAt, size int64) (*segment.Reader, *segment.Footer, error) {
	r, err := segment.NewReader(src, size)
	if err != nil {
		return nil, nil, err
	}
	f, err := r.OpenFooter()
	return r, f, footless(err, r.Header.Ref, size)
}

// footless makes damage of the lack of a footer.
func footless(err error, ref segment.Ref, size int64) error {
	if errors.Is(err, segment.ErrNoFooter) {
		return &segment.CorruptError{Segment: ref, Offset: size, Reason: "a sealed segment without a footer"}
	}
	return err
}

func shipment(r *segment.Reader, f *segment.Footer, sum [32]byte) *Shipment {
	return &Shipment{
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

// opened is a segment file that is open, so that what is sent is of the very file
// that was verified.
type opened struct {
	io.ReaderAt
	io.Closer
	size int64
}

// open opens a segment file.
func (s *Source) open(name string) (*opened, error) {
	f, err := s.fsys.Open(name)
	if err != nil {
		return nil, err
	}
	src, size, err := readerAt(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &opened{src, f, size}, nil
}

// Verify opens a sealed segment file of the folder and reads it whole. Errors are as
// those of a damaged segment that is set aside: a *segment.CorruptError that names
// the file, segment.ErrVersion, or one of reading.
func (s *Source) Verify(ctx context.Context, name string) (*Shipment, error) {
	f, err := s.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	ship, err := verify(ctx, f, f.size)
	if err != nil {
		return nil, segment.InFile(name, err)
	}
	return ship, nil
}
