package integrity

import (
	"context"
	"io"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/varve-db/varve/internal/vfs"
)

// Verifier verifies sealed segments, one after the other, and keeps the buffers that reads past the
// page cache need. It is for one goroutine; see VerifyEach.
type Verifier struct {
	past vfs.Direct
}

// Sealed is VerifySealed.
func (v *Verifier) Sealed(ctx context.Context, src io.ReaderAt, size int64, o VerifyOptions) (*Verified, []Finding, error) {
	o.past = &v.past
	return VerifySealed(ctx, src, size, o)
}

// mostWorkers bounds the memory of VerifyEach: each worker takes as much as VerifySealed.
const mostWorkers = 20

// VerifyEach calls verify for each i below n, in order, several at once: each of workers
// goroutines has a Verifier of its own. Workers 0 is two for each processor, so that one reads
// while the other hashes, and at most 20. Once the context has ended, no further calls begin.
func VerifyEach(ctx context.Context, n, workers int, verify func(i int, v *Verifier)) {
	if workers <= 0 {
		workers = min(2*runtime.GOMAXPROCS(0), mostWorkers)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(workers, n) {
		wg.Go(func() {
			var v Verifier
			defer v.past.Close()
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				verify(i, &v)
			}
		})
	}
	wg.Wait()
}
