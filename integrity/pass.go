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

// passBurst is the most that is read at once at a byte rate. Whoever makes the
// limiter gives it a burst of as much.
const passBurst = 256 << 10

// NewLimiter returns a limiter of so many bytes a second for VerifyOptions and
// CheckOptions; zero or less is no limit, and nil.
func NewLimiter(bytesPerSecond int64) *rate.Limiter {
	if bytesPerSecond <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(bytesPerSecond), passBurst)
}

// pass is a file that is read from its beginning to its end, once: each byte is
// hashed as it comes by for the first time, while it is in the processor's cache
// for whoever asked. Until begin is called, and after end, reads go through and count for
// nothing.
type pass struct {
	ctx      context.Context
	src      io.ReaderAt
	past     *vfs.Direct // the page cache, for src, if it can
	direct   bool        // past reads src
	limit    *rate.Limiter
	progress func(int64)
	sum      hash.Hash // nil: not begun
	at       int64     // all before is hashed
	read     int64
}

// begin begins the pass over the first size bytes of src.
func (p *pass) begin(size int64) {
	p.sum = sha256.New()
	most := vfs.MostDirect
	if p.limit != nil {
		most = passBurst
	}
	p.direct = p.past != nil && p.past.Begin(p.src, size, most)
}

// end ends it; it need not have begun.
func (p *pass) end() {
	p.sum = nil
	p.leave()
}

// leave has the rest read from src itself.
func (p *pass) leave() {
	if p.direct {
		p.past.End()
		p.direct = false
	}
}

// ReadAt implements io.ReaderAt.
func (p *pass) ReadAt(b []byte, off int64) (int, error) {
	if p.sum == nil {
		return p.get(b, off)
	}
	if err := p.catchUp(off); err != nil {
		return 0, err
	}
	n, err := p.get(b, off)
	if fresh := off + int64(n) - p.at; fresh > 0 {
		p.sum.Write(b[int64(n)-fresh : n])
		p.at += fresh
		if p.progress != nil {
			p.progress(fresh)
		}
	}
	return n, err
}

// catchUp hashes what nobody asked for before an offset.
func (p *pass) catchUp(to int64) error {
	for p.at < to {
		b := make([]byte, min(passBurst, to-p.at))
		if n, err := p.ReadAt(b, p.at); n < len(b) {
			return errors.Join(err, io.ErrUnexpectedEOF)
		}
	}
	return nil
}

// get reads, in time with the limit, until the context ends.
func (p *pass) get(b []byte, off int64) (n int, err error) {
	for n < len(b) && err == nil {
		piece := b[n:]
		if p.limit != nil && len(piece) > passBurst {
			piece = piece[:passBurst]
		}
		if err = p.wait(len(piece)); err != nil {
			return n, err
		}
		var m int
		m, err = p.readAt(piece, off+int64(n))
		n += m
		if m < len(piece) && err == nil {
			err = io.ErrUnexpectedEOF
		}
	}
	p.read += int64(n)
	if n == len(b) {
		err = nil
	}
	return n, err
}

// readAt reads past the page cache while that goes well. What is wrong where it does not,
// src itself says.
func (p *pass) readAt(b []byte, off int64) (int, error) {
	if p.direct {
		if n, err := p.past.ReadAt(b, off); err == nil {
			return n, nil
		}
		p.leave()
	}
	return p.src.ReadAt(b, off)
}

func (p *pass) wait(n int) error {
	if p.limit == nil {
		return p.ctx.Err()
	}
	for n > 0 {
		m := min(n, max(p.limit.Burst(), 1))
		if err := p.limit.WaitN(p.ctx, m); err != nil {
			return errors.Join(p.ctx.Err(), err)
		}
		n -= m
	}
	return p.ctx.Err()
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
