package archiver

import (
	"context"
	"errors"
	"time"

	"github.com/varve-db/varve/segment"
)

// persist asks a target until it answers: an audit of ten thousand objects must not
// end with one lost answer. Each attempt has its time, for so many bytes. Damage is
// looked at twice, since it may have happened on the way.
func persist(ctx context.Context, size int64, ask func(ctx context.Context) error) error {
	limit := Options{Timeout: DefaultTimeout}
	damaged := false
	for n := 1; ; n++ {
		attempt, cancel := withTimeout(ctx, limit.allowance(size))
		err := ask(attempt)
		if err != nil && attempt.Err() != nil && ctx.Err() == nil {
			err = errors.Join(context.Cause(attempt), err)
		}
		cancel()
		_, corrupt := errors.AsType[*segment.CorruptError](err)
		if err == nil || corrupt && damaged || n == fetchAttempts || !worthTrying(err) || ctx.Err() != nil {
			return err
		}
		damaged = damaged || corrupt
		if !corrupt && !sleep(ctx, backoff{time.Second / 2, 10 * time.Second}.after(n)) {
			return context.Cause(ctx)
		}
	}
}
