package target

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// attempts is how often an object is asked for before the caller gets the error.
const attempts = 5

// worthTrying reports whether another attempt may end differently.
func worthTrying(err error) bool {
	for _, hopeless := range []error{ErrNotExist, ErrDenied, ErrFull, segment.ErrVersion} {
		if errors.Is(err, hopeless) {
			return false
		}
	}
	return !vfs.IsDiskFull(err)
}

// Persist asks a target until it answers, a few times at most: an audit of ten thousand objects
// must not end with one lost answer. Each attempt has a time limit of its own. Damage is checked
// twice, since it may have happened on the way.
func Persist(ctx context.Context, limit time.Duration, ask func(ctx context.Context) error) error {
	return repeat(ctx, attempts*limit, func() error {
		attempt, cancel := WithTimeout(ctx, limit)
		defer cancel()
		return because(attempt, ask(attempt))
	})
}

// repeat makes attempts until one succeeds or another would be of no use, and begins none once
// patience is over.
func repeat(ctx context.Context, patience time.Duration, attempt func() error) error {
	damaged := false
	begun := time.Now()
	for n := 1; ; n++ {
		err := attempt()
		_, corrupt := errors.AsType[*segment.CorruptError](err)
		if err == nil || corrupt && damaged || n == attempts || !worthTrying(err) || ctx.Err() != nil || time.Since(begun) >= patience {
			return err
		}
		damaged = damaged || corrupt
		if !corrupt && !Sleep(ctx, requests.After(n)) {
			return context.Cause(ctx)
		}
	}
}

// because adds to an error why the context of its request ended.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

// Allowance is what an attempt to read size bytes may take.
func Allowance(size int64) time.Duration { return Timeout{PerUnit: DefaultTimeout}.For(size) }
