package archive

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/segment"
)

// Object returns a reader of an object's bytes by range: one request for each
// read. size is the object's. The reader is good as long as ctx is, and from
// several goroutines.
func (a *Archive) Object(ctx context.Context, name string, size int64) io.ReaderAt {
	return &Object{ctx, a.target, name, size}
}

// Object is an object of the archive that is read by range: see Archive.Object.
type Object struct {
	Ctx    context.Context
	Target target.Target
	Name   string
	Size   int64
}

// ReadAt implements io.ReaderAt.
func (o *Object) ReadAt(b []byte, off int64) (int, error) {
	want := b[:max(0, min(int64(len(b)), o.Size-off))]
	if len(want) > 0 {
		r, err := o.Target.Open(o.Ctx, o.Name, off, int64(len(want)))
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

// Header returns the header of a segment. It costs one request, two for a long header, none if
// the header was read lately. The header belongs to the archive and must not be changed. The
// error is a *segment.CorruptError, also where the object is another segment than its name
// says; it wraps segment.ErrVersion or target.ErrNotExist; or it is the target's.
func (a *Archive) Header(ctx context.Context, store segment.UUID, ref segment.Ref) (*segment.Header, error) {
	key := headerKey{store, ref}
	a.mu.Lock()
	h, ok := a.headers.get(key)
	a.mu.Unlock()
	if ok {
		return h, nil
	}
	h, err := a.ReadHeader(ctx, store, ref)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.headers.put(key, h)
	a.mu.Unlock()
	return h, nil
}

// ReadHeader is Header, but always reads what is there now.
func (a *Archive) ReadHeader(ctx context.Context, store segment.UUID, ref segment.Ref) (*segment.Header, error) {
	name := SegmentName(store, ref)
	b, err := a.ReadRange(ctx, name, 0, headerGuess)
	if err != nil {
		return nil, err
	}
	n, err := segment.HeaderSize(b)
	if err != nil {
		return nil, a.Damaged(err, name, ref)
	}
	if n > len(b) && len(b) == headerGuess {
		rest, err := a.ReadRange(ctx, name, headerGuess, int64(n)-headerGuess)
		if err != nil {
			return nil, err
		}
		b = append(b, rest...)
	}
	h, _, err := segment.ParseHeader(b)
	if err != nil {
		return nil, a.Damaged(err, name, ref)
	}
	return h, a.IsSegment(h, store, ref)
}

// ReadRange reads n bytes of an object, fewer at its end.
func (a *Archive) ReadRange(ctx context.Context, name string, off, n int64) ([]byte, error) {
	r, err := a.target.Open(ctx, name, off, n)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	_, err = b.ReadFrom(io.LimitReader(r, n))
	return b.Bytes(), errors.Join(err, r.Close())
}

// IsSegment returns an error if h is not the header of segment ref of the store.
func (a *Archive) IsSegment(h *segment.Header, store segment.UUID, ref segment.Ref) error {
	if h.UUID == store && h.Ref == ref {
		return nil
	}
	return a.Damaged(&segment.CorruptError{
		Reason: "the object is segment " + h.Ref.String() + " of store " + h.UUID.String() + ", not what its name says",
	}, SegmentName(store, ref), ref)
}

// Damaged adds the object's URL, its segment and the remedy to a *segment.CorruptError.
func (a *Archive) Damaged(err error, name string, ref segment.Ref) error {
	if c, ok := errors.AsType[*segment.CorruptError](err); ok {
		c.File, c.Segment = a.At(name), ref
		if c.Next == "" {
			c.Next = PutBack
		}
	}
	return err
}

// Vanished turns target.ErrNotExist for a segment that was listed into damage.
func (a *Archive) Vanished(err error, store segment.UUID, ref segment.Ref) error {
	if errors.Is(err, target.ErrNotExist) {
		return &segment.CorruptError{File: a.At(SegmentName(store, ref)), Segment: ref, Reason: "it was listed, and is not there"}
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
	name := SegmentName(store, s.Ref)
	if s.Size == 0 {
		info, err := a.target.Stat(ctx, name)
		if err != nil {
			return nil, err
		}
		s.Size = info.Size
	}
	src := &Tailed{Src: a.Object(ctx, name, s.Size), Size: s.Size, N: tailGuess, Ahead: true}
	r, err := segment.NewReader(src, s.Size)
	if err != nil {
		return nil, a.Damaged(err, name, s.Ref)
	}
	if err := a.IsSegment(r.Header, store, s.Ref); err != nil {
		return nil, err
	}
	f, err := r.OpenFooter()
	if err != nil {
		return nil, a.Damaged(err, name, s.Ref)
	}
	src.Tail, src.Ahead = nil, false
	return f, nil
}

// Tailed reads the last bytes of its source with one read, for the opening of a footer. All
// other reads go to the source.
type Tailed struct {
	Src   io.ReaderAt
	Size  int64
	N     int64  // how many bytes of the end are read at once
	Tail  []byte // the last bytes of the source
	Ahead bool
}

// From returns the offset of the part that is read with one read.
func (t *Tailed) From() int64 { return max(0, t.Size-t.N) }

// ReadAt implements io.ReaderAt.
func (t *Tailed) ReadAt(b []byte, off int64) (int, error) {
	from := t.From()
	if !t.Ahead || off < from || off+int64(len(b)) > t.Size {
		return t.Src.ReadAt(b, off)
	}
	if t.Tail == nil {
		tail := make([]byte, t.Size-from)
		if n, err := t.Src.ReadAt(tail, from); n < len(tail) {
			return 0, err
		}
		t.Tail = tail
	}
	return copy(b, t.Tail[off-from:]), nil
}
