package archiver

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/varve-db/varve/segment"
)

// Object returns a reader of an object's bytes by range: one request for each
// read. size is the object's. The reader is good as long as ctx is, and from
// several goroutines.
func (a *Archive) Object(ctx context.Context, name string, size int64) io.ReaderAt {
	return &object{ctx, a.target, name, size}
}

type object struct {
	ctx    context.Context
	target Target
	name   string
	size   int64
}

// ReadAt implements io.ReaderAt.
func (o *object) ReadAt(b []byte, off int64) (int, error) {
	want := b[:max(0, min(int64(len(b)), o.size-off))]
	if len(want) > 0 {
		r, err := o.target.Open(o.ctx, o.name, off, int64(len(want)))
		if err != nil {
			return 0, err
		}
		n, err := io.ReadFull(r, want)
		if err = errors.Join(err, r.Close()); err != nil {
			return n, err
		}
	}
	if len(want) < len(b) {
		return len(want), io.EOF
	}
	return len(want), nil
}

// headerGuess is how much of a segment the first request for a header asks for:
// a header of a few hundred runs.
const headerGuess = 4096

// Header returns the header of a segment, after one request, or two if it is long;
// or none, if it was asked for lately. It belongs to the archive: it must not be
// changed. The error is a *segment.CorruptError, also where the object is
// another segment than its name says, wraps segment.ErrVersion or ErrNotExist,
// or is the target's.
func (a *Archive) Header(ctx context.Context, store segment.UUID, ref segment.Ref) (*segment.Header, error) {
	key := headerKey{store, ref}
	a.mu.Lock()
	h, ok := a.headers.get(key)
	a.mu.Unlock()
	if ok {
		return h, nil
	}
	h, err := a.readHeader(ctx, store, ref)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.headers.put(key, h)
	a.mu.Unlock()
	return h, nil
}

func (a *Archive) readHeader(ctx context.Context, store segment.UUID, ref segment.Ref) (*segment.Header, error) {
	name := segmentName(store, ref)
	b, err := a.readRange(ctx, name, 0, headerGuess)
	if err != nil {
		return nil, err
	}
	n, err := segment.HeaderSize(b)
	if err != nil {
		return nil, a.damaged(err, name, ref)
	}
	if n > len(b) && len(b) == headerGuess {
		rest, err := a.readRange(ctx, name, headerGuess, int64(n)-headerGuess)
		if err != nil {
			return nil, err
		}
		b = append(b, rest...)
	}
	h, _, err := segment.ParseHeader(b)
	if err != nil {
		return nil, a.damaged(err, name, ref)
	}
	return h, a.isSegment(h, store, ref)
}

// readRange reads n bytes of an object, fewer at its end.
func (a *Archive) readRange(ctx context.Context, name string, off, n int64) ([]byte, error) {
	r, err := a.target.Open(ctx, name, off, n)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	_, err = b.ReadFrom(io.LimitReader(r, n))
	return b.Bytes(), errors.Join(err, r.Close())
}

// isSegment returns an error if a header is not that of the segment whose name
// it was found under.
func (a *Archive) isSegment(h *segment.Header, store segment.UUID, ref segment.Ref) error {
	if h.UUID == store && h.Ref == ref {
		return nil
	}
	return a.damaged(&segment.CorruptError{
		Reason: "the object is segment " + h.Ref.String() + " of store " + h.UUID.String() + ", not what its name says",
	}, segmentName(store, ref), ref)
}

// damaged completes an error about an object's bytes with what only the archive
// knows.
func (a *Archive) damaged(err error, name string, ref segment.Ref) error {
	if c, ok := errors.AsType[*segment.CorruptError](err); ok {
		c.File, c.Segment = a.at(name), ref
		if c.Next == "" {
			c.Next = "varve archive repair puts it back from the store"
		}
	}
	return err
}

// vanished makes damage of the absence of a segment that a listing has.
func (a *Archive) vanished(err error, store segment.UUID, ref segment.Ref) error {
	if errors.Is(err, ErrNotExist) {
		return &segment.CorruptError{File: a.at(segmentName(store, ref)), Segment: ref, Reason: "it was listed, and is not there"}
	}
	return err
}

// tailGuess is how much of a segment's end is read at once for a footer: the
// trailer and the block index of some tens of MiB of small objects.
const tailGuess = 16 << 10

// Footer opens the footer of a segment, with two requests as a rule: one for the
// header, one for the end. A Stored without Size is asked for its size first. The
// footer reads its table's blocks by range, one request each, as long as ctx is
// good. The error is that of Header, or segment.ErrNoFooter.
func (a *Archive) Footer(ctx context.Context, store segment.UUID, s Stored) (*segment.Footer, error) {
	name := segmentName(store, s.Ref)
	if s.Size == 0 {
		info, err := a.target.Stat(ctx, name)
		if err != nil {
			return nil, err
		}
		s.Size = info.Size
	}
	src := &tailed{src: a.Object(ctx, name, s.Size), size: s.Size, n: tailGuess, ahead: true}
	r, err := segment.NewReader(src, s.Size)
	if err != nil {
		return nil, a.damaged(err, name, s.Ref)
	}
	if err := a.isSegment(r.Header, store, s.Ref); err != nil {
		return nil, err
	}
	f, err := r.OpenFooter()
	if err != nil {
		return nil, a.damaged(err, name, s.Ref)
	}
	src.tail, src.ahead = nil, false
	return f, nil
}

// tailed reads the end of its source at once while it opens a footer, and passes
// reads through after that.
type tailed struct {
	src   io.ReaderAt
	size  int64
	n     int64  // how many bytes of the end are read at once
	tail  []byte // the last bytes of the source
	ahead bool
}

// from is where the end begins that is read at once.
func (t *tailed) from() int64 { return max(0, t.size-t.n) }

// ReadAt implements io.ReaderAt.
func (t *tailed) ReadAt(b []byte, off int64) (int, error) {
	from := t.from()
	if !t.ahead || off < from || off+int64(len(b)) > t.size {
		return t.src.ReadAt(b, off)
	}
	if t.tail == nil {
		tail := make([]byte, t.size-from)
		if n, err := t.src.ReadAt(tail, from); n < len(tail) {
			return 0, err
		}
		t.tail = tail
	}
	return copy(b, t.tail[off-from:]), nil
}
