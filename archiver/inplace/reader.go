package inplace

import (
	"context"
	"slices"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/internal/pages"
	"github.com/varve-db/varve/archiver/internal/parallel"
	"github.com/varve-db/varve/segment"
)

// Reader reads a store at a point without restoring it: tables and objects are
// fetched by range as they are asked for, and every one is verified. Its methods
// may be called from several goroutines.
type Reader struct {
	ctx  context.Context
	a    *archive.Archive
	plan *history.Plan
	segs []*remote // the newest first
}

// Options are options of NewReader. A nil pointer is all defaults.
type Options struct {
	// CacheBytes bounds what is kept of fetched bytes: pages of segments and, for a quarter of
	// it, block indexes. Each segment that was searched takes some hundred bytes more, with the
	// bounds of its keys. Default 64 MiB.
	CacheBytes int64
}

// NewReader returns a reader of a plan, which is good as long as ctx is. It reads
// nothing yet, and there is nothing to close.
func NewReader(ctx context.Context, a *archive.Archive, p *history.Plan, o *Options) *Reader {
	size := int64(64 << 20)
	if o != nil && o.CacheBytes > 0 {
		size = o.CacheBytes
	}
	r := &Reader{ctx: ctx, a: a, plan: p}
	cache, feet := pages.NewCache(size-size/4), pages.NewLRU[int, *segment.Footer](size/4)
	list := slices.Clone(p.Segments)
	if p.Cut != nil {
		list = append(list, p.Cut.Stored)
	}
	slices.SortFunc(list, func(x, y archive.Stored) int { return y.Ref.Compare(x.Ref) })
	for i, x := range list {
		name := archive.SegmentName(p.Store, x.Ref)
		src := &pages.Object{Cache: cache, Id: i, Src: a.Object(ctx, name, x.Size), Size: x.Size}
		r.segs = append(r.segs, &remote{Stored: x, a: a, store: p.Store, name: name, src: src, limit: p.Seq, id: i, feet: feet})
	}
	return r
}

// wave is how many segments find searches at once, to begin with.
const wave = 4

// Get returns the object of a key. The caller owns it. The error is segment.ErrNotFound for a
// key that is not there, and a *segment.CorruptError for damage.
func (r *Reader) Get(key []byte) (segment.Object, error) {
	in, e, err := r.find(key)
	if err != nil {
		return segment.Object{}, err
	}
	if in == nil {
		return segment.Object{}, segment.ErrNotFound
	}
	return in.object(key, e.Seq, e.Offset, e.Size)
}

// Has reports whether a key is there. It reads tables, and no object. The error is a
// *segment.CorruptError for damage.
func (r *Reader) Has(key []byte) (bool, error) {
	in, _, err := r.find(key)
	return in != nil, err
}

// find returns the newest entry of a key and the segment that holds it; a nil segment
// if the key is not there.
//
// It searches the newest segments first, and ends early: what a segment holds was written before
// any log of a greater id was begun, since an output takes its records from segments that were
// sealed before it.
func (r *Reader) find(key []byte) (in *remote, best segment.Entry, err error) {
search:
	for from, n := 0, wave; from < len(r.segs); from, n = from+n, min(4*n, 64) {
		list := r.segs[from:min(from+n, len(r.segs))]
		hits, err := r.lookAt(list, key, best.Seq)
		if err != nil {
			return nil, best, err
		}
		for i, s := range list {
			h := &hits[i]
			if h.err != nil {
				return nil, best, h.err
			}
			if h.found && (in == nil || h.e.Seq > best.Seq) {
				best, in = h.e, s
			}
			if b := s.known.Load(); in != nil && b.kind == segment.Log && best.Seq >= b.firstSeq {
				break search
			}
		}
	}
	if in != nil && best.Kind == segment.Delete {
		in = nil
	}
	return in, best, nil
}

// hit is what was found in one segment.
type hit struct {
	e     segment.Entry
	found bool
	err   error
}

// lookAt looks for a key above a sequence number in several segments at a time. Each has its own
// error: an error in a segment that is older than the answer does not count.
func (r *Reader) lookAt(list []*remote, key []byte, above uint64) ([]hit, error) {
	hits := make([]hit, len(list))
	err := parallel.Each(r.ctx, parallel.Looks, len(list), func(_ context.Context, i int) error {
		h := &hits[i]
		h.e, h.found, h.err = list[i].lookup(key, above)
		return nil
	})
	return hits, err
}
