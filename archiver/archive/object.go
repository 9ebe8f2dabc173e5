package archive

import (
	"context"
	"errors"
	"io"

	"github.com/varve-db/varve/archiver/internal/sealed"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/segment"
)

// Stream reads a whole object as an io.ReaderAt. Reads in order share one request: a read that
// begins where the one before ended goes on in the same answer. It is for one goroutine. The
// caller closes it.
type Stream struct {
	Object
	onRead func(n int64) // told of bytes that were read, each once; may be nil
	told   int64         // all before was told of

	body io.ReadCloser
	at   int64 // offset of the next byte of body
}

// streamFrom is the least that a read must ask for so that an answer is kept
// open for what follows: headers and footers are read by range.
const streamFrom = 64 << 10

// ReadAt implements io.ReaderAt.
func (s *Stream) ReadAt(b []byte, off int64) (int, error) {
	n, err := s.readAt(b, off)
	if fresh := off + int64(n) - s.told; fresh > 0 && off <= s.told && s.onRead != nil {
		s.told += fresh
		s.onRead(fresh)
	}
	return n, err
}

func (s *Stream) readAt(b []byte, off int64) (int, error) {
	inOrder := s.body != nil && off == s.at
	if !inOrder && len(b) < streamFrom {
		return s.Object.ReadAt(b, off)
	}
	if !inOrder {
		if err := s.reopen(off); err != nil {
			return 0, err
		}
	}
	n, err := io.ReadFull(s.body, b)
	s.at += int64(n)
	if err == io.ErrUnexpectedEOF && s.at == s.Size {
		err = io.EOF
	}
	return n, err
}

func (s *Stream) reopen(off int64) error {
	if err := s.Close(); err != nil {
		return err
	}
	body, err := s.Target.Open(s.Ctx, s.Name, off, s.Size-off)
	if err != nil {
		return err
	}
	s.body, s.at = body, off
	return nil
}

// Close ends the answer that is open, if any.
func (s *Stream) Close() error {
	if s.body == nil {
		return nil
	}
	err := s.body.Close()
	s.body = nil
	return err
}

// VerifyObject reads a segment of the archive once and proves that it is, byte for byte, the
// file that was sealed, and the segment that its name says. The error is a
// *segment.CorruptError, wraps segment.ErrVersion or target.ErrNotExist, or is the target's.
// onRead gets the number of bytes of each read; it may be nil. sum is the SHA-256 of the whole
// file.
func (a *Archive) VerifyObject(ctx context.Context, store segment.UUID, ref segment.Ref, size int64, onRead func(int64)) (sum [32]byte, err error) {
	name := SegmentName(store, ref)
	s := &Stream{Object: Object{ctx, a.target, name, size}, onRead: onRead}
	ship, err := sealed.Verify(ctx, s, size)
	if err = errors.Join(err, s.Close()); err != nil {
		return sum, a.Damaged(err, name, ref)
	}
	return ship.SHA256, a.IsSegment(&segment.Header{Head: segment.Head{UUID: ship.Store, Ref: ship.Ref}}, store, ref)
}

// BadSegment is a segment of a backup that is missing or damaged.
type BadSegment struct {
	Ref     segment.Ref `json:"segment"`
	Object  string      `json:"object"` // its URL
	Problem string      `json:"problem"`
}

// ProblemOf returns what an error says is wrong with a segment. An error that is not about the
// segment is returned as it is.
func ProblemOf(err error) (problem string, _ error) {
	_, corrupt := errors.AsType[*segment.CorruptError](err)
	switch {
	case err == nil:
		return "", nil
	case errors.Is(err, target.ErrNotExist):
		return "it is not there", nil
	case corrupt, errors.Is(err, segment.ErrVersion):
		return err.Error(), nil
	case errors.Is(err, segment.ErrNoFooter):
		return "it does not end as a sealed segment does: cut short, or longer than it was", nil
	}
	return "", err
}
