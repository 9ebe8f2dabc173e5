package archiver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"sync"

	"github.com/varve-db/varve/segment"
)

// ErrNotFound is returned by Reader.Get for a key that is not there.
var ErrNotFound = errors.New("not found")

// Reader reads a store at a point without restoring it: tables and objects are
// fetched by range as they are asked for, and every one is verified. Its methods
// may be called from several goroutines.
type Reader struct {
	ctx  context.Context
	a    *Archive
	plan *Plan
	segs []*remote // the newest first
}

// ReaderOptions are options of Archive.Reader. A nil pointer is all defaults.
type ReaderOptions struct {
	CacheBytes int64 // of what was fetched are kept, at most. Default 64 MiB
}

// Reader returns a reader of a plan, which is good as long as ctx is. It reads
// nothing yet, and there is nothing to close.
func (a *Archive) Reader(ctx context.Context, p *Plan, o *ReaderOptions) *Reader {
	size := int64(64 << 20)
	if o != nil && o.CacheBytes > 0 {
		size = o.CacheBytes
	}
	r := &Reader{ctx: ctx, a: a, plan: p}
	cache := newPageCache(size)
	list := slices.Clone(p.Segments)
	if p.Cut != nil {
		list = append(list, p.Cut.Stored)
	}
	slices.SortFunc(list, func(x, y Stored) int { return y.Ref.Compare(x.Ref) })
	for i, x := range list {
		name := segmentName(p.Store, x.Ref)
		src := &pagedObject{cache: cache, id: i, src: a.Object(ctx, name, x.Size), size: x.Size}
		r.segs = append(r.segs, &remote{Stored: x, a: a, store: p.Store, name: name, src: src, limit: p.Seq})
	}
	return r
}

// remote is a segment that is read by range.
type remote struct {
	Stored
	a     *Archive
	store segment.UUID
	name  string
	src   io.ReaderAt
	limit uint64 // higher sequence numbers do not count

	once sync.Once // guards what follows
	hdr  *segment.Header
	foot *segment.Footer
	err  error
}

// open fetches header and footer, once.
func (s *remote) open() error {
	s.once.Do(func() {
		r, foot, err := footed(s.src, s.Size)
		if err == nil {
			err = s.a.isSegment(r.Header, s.store, s.Ref)
		}
		if err == nil {
			s.hdr, s.foot = r.Header, foot
		}
		s.err = s.damaged(err)
	})
	return s.err
}

// damaged names the object in an error of reading it. One that is not there any more
// is as bad as a damaged one.
func (s *remote) damaged(err error) error {
	return s.a.vanished(s.a.damaged(err, s.name, s.Ref), s.store, s.Ref)
}

// lookup returns the newest entry of a key that counts.
func (s *remote) lookup(key []byte) (e segment.Entry, found bool, err error) {
	if s.foot.LastSeq <= s.limit {
		e, found, err = s.foot.Lookup(key)
		return e, found, s.damaged(err)
	}
	c := s.foot.CursorAt(key)
	for c.Next() && bytes.Equal(c.Entry.Key, key) {
		if c.Entry.Seq <= s.limit {
			e = c.Entry
			e.Key, e.Slots = bytes.Clone(e.Key), bytes.Clone(e.Slots)
			return e, true, nil
		}
	}
	return e, false, s.damaged(c.Err())
}

// record reads the record of an entry. It is the caller's.
func (s *remote) record(key []byte, seq uint64, off, size int64) (*segment.Record, error) {
	b := make([]byte, size)
	if n, err := s.src.ReadAt(b, off); n < len(b) {
		return nil, s.damaged(err)
	}
	return s.parse(b, key, seq, off)
}

// parse makes sure that b is the record that the table means.
func (s *remote) parse(b, key []byte, seq uint64, off int64) (*segment.Record, error) {
	rec := &segment.Record{}
	err := s.hdr.Place().ParseRecord(b, off, rec)
	if errors.Is(err, segment.ErrShort) {
		err = &segment.CorruptError{Offset: off, Reason: "record cut off"}
	}
	if err == nil && (rec.Seq != seq || rec.Size != int64(len(b)) || rec.Kind != segment.Put || !bytes.Equal(rec.Key, key)) {
		err = &segment.CorruptError{Offset: off, Reason: "another record than the table has"}
	}
	if c, ok := errors.AsType[*segment.CorruptError](err); ok && c.Keys == nil {
		c.Keys = [][]byte{bytes.Clone(key)}
	}
	return rec, s.damaged(err)
}

// wave is how many footers find fetches at once, to begin with.
const wave = 4

// Get returns the record of a key, as the caller's own. A key that is not there is
// ErrNotFound; what is damaged is a *segment.CorruptError.
func (r *Reader) Get(key []byte) (*segment.Record, error) {
	in, e, err := r.find(key)
	if err != nil {
		return nil, err
	}
	if in == nil {
		return nil, ErrNotFound
	}
	return in.record(key, e.Seq, e.Offset, e.Size)
}

// Has reports whether a key is there. It reads tables, and no object. What is damaged
// is a *segment.CorruptError.
func (r *Reader) Has(key []byte) (bool, error) {
	in, _, err := r.find(key)
	return in != nil, err
}

// find returns the newest entry of a key and the segment that holds it; a nil segment
// if the key is not there.
//
// It looks into the newest segments first, and ends early: what a segment holds was
// written before any log of a greater id was begun, since an output takes its
// records from segments that were sealed before it.
func (r *Reader) find(key []byte) (in *remote, best segment.Entry, err error) {
search:
	for from, n := 0, wave; from < len(r.segs); from, n = from+n, min(4*n, 64) {
		list := r.segs[from:min(from+n, len(r.segs))]
		if err := r.openAll(list); err != nil {
			return nil, best, err
		}
		for _, s := range list {
			if in == nil || s.foot.LastSeq > best.Seq {
				e, found, err := s.lookup(key)
				if err != nil {
					return nil, best, err
				}
				if found && (in == nil || e.Seq > best.Seq) {
					best, in = e, s
				}
			}
			if in != nil && s.hdr.Kind == segment.Log && best.Seq >= s.hdr.FirstSeq {
				break search
			}
		}
	}
	if in != nil && best.Kind == segment.Delete {
		in = nil
	}
	return in, best, nil
}

// openAll fetches footers, several at a time.
func (r *Reader) openAll(list []*remote) error {
	return fanOut(r.ctx, lookParallel, len(list), func(_ context.Context, i int) error { return list[i].open() })
}
