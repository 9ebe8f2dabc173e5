package parallel

import (
	"context"
	"sync"
	"sync/atomic"
)

// Each calls fn for 0 to n−1, at most parallel at a time. The first error ends
// the context of the others, and is returned when all have come back.
func Each(ctx context.Context, parallel, n int, fn func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(parallel, n) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := fn(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// Looks is how many headers and footers are read at a time.
const Looks = 16
