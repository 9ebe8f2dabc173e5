package throttle

import (
	"context"
	"io"

	"golang.org/x/time/rate"
)

// Limit returns the limiter for so many bytes a second, nil for zero: no bound. Those of a tenth of
// a second are read at once, within bounds, so that steps are small and calls few.
func Limit(perSecond int64) *rate.Limiter {
	if perSecond == 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond), int(min(max(perSecond/10, 4<<10), 1<<20)))
}

// Reader reads from src no faster than the limiter allows, until ctx ends.
type Reader struct {
	Ctx   context.Context
	Src   io.ReaderAt
	Limit *rate.Limiter
}

// ReadAt implements io.ReaderAt.
func (p Reader) ReadAt(b []byte, off int64) (n int, err error) {
	for n < len(b) && err == nil {
		step := min(len(b)-n, p.Limit.Burst())
		if err := p.Limit.WaitN(p.Ctx, step); err != nil {
			if cause := context.Cause(p.Ctx); cause != nil {
				err = cause
			}
			return n, err
		}
		var m int
		m, err = p.Src.ReadAt(b[n:n+step], off+int64(n))
		n += m
	}
	return n, err
}
