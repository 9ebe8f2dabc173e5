package archiver

import (
	"context"
	"io"
	"math/rand/v2"
	"time"

	"golang.org/x/time/rate"
)

// timeoutUnit is how many bytes Options.Timeout is for.
const timeoutUnit = 64 << 20

// allowance is how long an attempt to send size bytes may take. Below a rate
// all senders share it, so each may take what all of them together would.
func (o *Options) allowance(size int64) time.Duration {
	units := size/timeoutUnit + 1
	d := time.Duration(units) * o.Timeout
	if o.Rate > 0 {
		senders := float64(o.Parallel * (len(o.Targets) + len(o.Unopened)))
		d += time.Duration(senders * float64(size) / float64(o.Rate) * float64(time.Second))
	}
	return d
}

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

// backoff is how long to wait after failures in a row.
type backoff struct{ base, most time.Duration }

// after returns the pause after n failures, at least one: it doubles up to a bound,
// and a half more or less is left to chance, so that many who failed together
// do not come back together.
func (b backoff) after(n int) time.Duration {
	d := b.base
	for range n - 1 {
		if d *= 2; d >= b.most {
			d = b.most
			break
		}
	}
	return d/2 + rand.N(d)
}
