package archiver

import (
	"context"
	"io"

	"golang.org/x/time/rate"
)

// burst is how many bytes go at once under a rate: a tenth of a second's, within
// bounds that keep both the steps fine and the calls few.
func burst(perSecond int64) int {
	return int(min(max(perSecond/10, 4<<10), 1<<20))
}

// paced reads from src no faster than the limiter allows, until ctx ends.
type paced struct {
	ctx   context.Context
	src   io.ReaderAt
	limit *rate.Limiter
}

func (p paced) ReadAt(b []byte, off int64) (n int, err error) {
	for n < len(b) && err == nil {
		step := min(len(b)-n, p.limit.Burst())
		if err := p.limit.WaitN(p.ctx, step); err != nil {
			if cause := context.Cause(p.ctx); cause != nil {
				err = cause
			}
			return n, err
		}
		var m int
		m, err = p.src.ReadAt(b[n:n+step], off+int64(n))
		n += m
	}
	return n, err
}
