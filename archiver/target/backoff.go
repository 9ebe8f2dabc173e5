package target

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff is how long to wait after failures in a row.
type Backoff struct{ Base, Most time.Duration }

// requests is the backoff of callers that wait for an answer: a reader, an audit, a restore.
var requests = Backoff{time.Second / 2, 10 * time.Second}

// After returns the pause after n failures, n being at least one. It doubles up to a bound,
// and varies by half at random, so that many callers that failed together do not come back
// together.
func (b Backoff) After(n int) time.Duration {
	d := b.Base
	for range n - 1 {
		if d *= 2; d >= b.Most {
			d = b.Most
			break
		}
	}
	return d/2 + rand.N(d)
}

// Sleep waits, and reports false if ctx ended first.
func Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
