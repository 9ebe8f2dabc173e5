package history

import (
	"context"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/segment"
)

// Logs are segments in order of id, logs and outputs. Their names do not show which is which, so
// each step over an output costs a header.
type Logs struct {
	header func(context.Context, segment.Ref) (*segment.Header, error)
	ref    func(i int) segment.Ref
	n      int
}

// LogsOf returns the segments of one timeline as Logs.
func LogsOf(segs []archive.Stored, header func(context.Context, segment.Ref) (*segment.Header, error)) Logs {
	return Logs{header, func(i int) segment.Ref { return segs[i].Ref }, len(segs)}
}

// First returns the first log at from or behind it; −1 and nil if there is none.
func (r Logs) First(ctx context.Context, from int) (int, *segment.Header, error) {
	return r.walk(ctx, from, r.n, 1)
}

// Last returns the last log in [from, to); −1 and nil if there is none.
func (r Logs) Last(ctx context.Context, from, to int) (int, *segment.Header, error) {
	return r.walk(ctx, to-1, from-1, -1)
}

// walk returns the first log on the way from i to end, which does not count.
func (r Logs) walk(ctx context.Context, i, end, step int) (int, *segment.Header, error) {
	for ; (end-i)*step > 0; i += step {
		h, err := r.header(ctx, r.ref(i))
		if err != nil {
			return -1, nil, err
		}
		if h.Kind == segment.Log {
			return i, h, nil
		}
	}
	return -1, nil, nil
}

// Search returns the last log in [from, to) for which ok holds; −1 and nil if it holds for
// none. If ok holds for a log, it must hold for every log before it. Search costs a few
// headers, however many segments there are.
func (r Logs) Search(ctx context.Context, from, to int, ok func(i int, h *segment.Header) (bool, error)) (best int, hdr *segment.Header, err error) {
	best = -1
	for lo, hi := from, to; lo < hi; { // it holds below lo, and does not from hi on
		mid := lo + (hi-lo)/2
		i, h, err := r.Last(ctx, lo, mid+1)
		if err != nil {
			return -1, nil, err
		}
		if i < 0 {
			lo = mid + 1 // outputs only
			continue
		}
		holds, err := ok(i, h)
		if err != nil {
			return -1, nil, err
		}
		if holds {
			best, hdr, lo = i, h, mid+1
		} else {
			hi = i
		}
	}
	return best, hdr, nil
}
