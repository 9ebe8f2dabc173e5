package integrity

import (
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"

	"github.com/varve-db/varve/internal/vfs"
	"golang.org/x/time/rate"
)

// passBurst is the most that is read at once at a byte rate. NewLimiter gives its limiters a burst
// of as much.
const passBurst = 256 << 10

// NewLimiter returns a limiter of so many bytes a second for VerifyOptions and
// check.Options; zero or less is no limit, and nil.
func NewLimiter(bytesPerSecond int64) *rate.Limiter {
	if bytesPerSecond <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(bytesPerSecond), passBurst)
}

// pass reads a file once, from its beginning to its end. Each byte is hashed when it is read for
// the first time, while it is in the processor's cache. Before begin and after end, reads are
// not hashed.
type pass struct {
	LimitedReader // of uncached
	uncached
	progress func(int64)
	sum      hash.Hash // nil: not begun
	at       int64     // all before is hashed
}

func newPass(ctx context.Context, src io.ReaderAt, past *vfs.Direct, o *VerifyOptions) *pass {
	p := &pass{uncached: uncached{src: src, past: past}, progress: o.Progress}
	p.LimitedReader = LimitedReader{Ctx: ctx, Src: &p.uncached, Limit: o.Limit}
	return p
}

// uncached reads a file past the page cache while that goes well.
type uncached struct {
	src    io.ReaderAt
	past   *vfs.Direct // the page cache, for src, if it can
	direct bool        // past reads src
}

// begin begins the pass over the first size bytes of src.
func (p *pass) begin(size int64) {
	p.sum = sha256.New()
	most := vfs.MostDirect
	if p.Limit != nil {
		most = passBurst
	}
	p.direct = p.past != nil && p.past.Begin(p.src, size, most)
}

// end ends it; it need not have begun.
func (p *pass) end() {
	p.sum = nil
	p.leave()
}

// ReadAt implements io.ReaderAt.
func (p *pass) ReadAt(b []byte, off int64) (int, error) {
	if p.sum == nil {
		return p.LimitedReader.ReadAt(b, off)
	}
	if err := p.catchUp(off); err != nil {
		return 0, err
	}
	n, err := p.LimitedReader.ReadAt(b, off)
	if fresh := off + int64(n) - p.at; fresh > 0 {
		p.sum.Write(b[int64(n)-fresh : n])
		p.at += fresh
		if p.progress != nil {
			p.progress(fresh)
		}
	}
	return n, err
}

// catchUp hashes the bytes before an offset that were not read yet.
func (p *pass) catchUp(to int64) error {
	for p.at < to {
		b := make([]byte, min(passBurst, to-p.at))
		if n, err := p.ReadAt(b, p.at); n < len(b) {
			return errors.Join(err, io.ErrUnexpectedEOF)
		}
	}
	return nil
}

// digest reads what is left up to an offset and returns the SHA-256 of all
// before it.
func (p *pass) digest(to int64) (sum [32]byte, err error) {
	if err := p.catchUp(to); err != nil {
		return sum, err
	}
	p.sum.Sum(sum[:0])
	return sum, nil
}

// leave makes all later reads go to src itself.
func (u *uncached) leave() {
	if u.direct {
		u.past.End()
		u.direct = false
	}
}

// ReadAt implements io.ReaderAt. If a read past the page cache fails, src is read instead, and its
// error counts.
func (u *uncached) ReadAt(b []byte, off int64) (int, error) {
	if u.direct {
		if n, err := u.past.ReadAt(b, off); err == nil {
			return n, nil
		}
		u.leave()
	}
	return u.src.ReadAt(b, off)
}

// LimitedReader reads Src no faster than Limit allows, until Ctx ends, and counts what it
// read. It is for one goroutine.
type LimitedReader struct {
	Ctx   context.Context
	Src   io.ReaderAt
	Limit *rate.Limiter // as NewLimiter returns it; nil: none
	Bytes int64         // that were read
}

// ReadAt implements io.ReaderAt.
func (r *LimitedReader) ReadAt(b []byte, off int64) (n int, err error) {
	for n < len(b) && err == nil {
		piece := b[n:]
		if r.Limit != nil && len(piece) > passBurst {
			piece = piece[:passBurst]
		}
		if err = r.wait(len(piece)); err != nil {
			return n, err
		}
		var m int
		m, err = r.Src.ReadAt(piece, off+int64(n))
		n += m
		if m < len(piece) && err == nil {
			err = io.ErrUnexpectedEOF
		}
	}
	r.Bytes += int64(n)
	if n == len(b) {
		err = nil
	}
	return n, err
}

func (r *LimitedReader) wait(n int) error {
	if r.Limit == nil {
		return r.Ctx.Err()
	}
	for n > 0 {
		m := min(n, max(r.Limit.Burst(), 1))
		if err := r.Limit.WaitN(r.Ctx, m); err != nil {
			return errors.Join(r.Ctx.Err(), err)
		}
		n -= m
	}
	return r.Ctx.Err()
}
