package target

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// DefaultTimeout is what an attempt may take for each 64 MiB, by default.
const DefaultTimeout = 5 * time.Minute

// timeoutUnit is how many bytes Timeout.PerUnit is for.
const timeoutUnit = 64 << 20

// Timeout says how long an attempt to send or fetch bytes may take.
type Timeout struct {
	PerUnit time.Duration // for each 64 MiB that were begun
	Rate    int64         // bytes a second that all attempts share; zero: no bound
	Senders int           // how many attempts share Rate
}

// For returns the time for size bytes. Under a rate each attempt may take as long as all that
// share the rate take together.
func (t Timeout) For(size int64) time.Duration {
	d := time.Duration(size/timeoutUnit+1) * t.PerUnit
	if t.Rate > 0 {
		d += time.Duration(float64(t.Senders) * float64(size) / float64(t.Rate) * float64(time.Second))
	}
	return d
}

// errTimeout is wrapped by the error of an attempt that took too long.
var errTimeout = errors.New("gave up waiting for the target")

// WithTimeout is context.WithTimeoutCause with a cause that says how long it was.
func WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, d, fmt.Errorf("%w after %v", errTimeout, d))
}
