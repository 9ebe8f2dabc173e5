package target

import (
	"context"
	"errors"
	"time"

	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// attempts is how often an object is asked for before whoever needs it gives up.
const attempts = 5

// worthTrying reports whether an error may be another one next time.
func worthTrying(err error) bool {
	for _, hopeless := range []error{ErrNotExist, ErrDenied, segment.ErrVersion} {
		if errors.Is(err, hopeless) {
			return false
		}
	}
	return !vfs.IsDiskFull(err)
}

// Persist asks a target until it answers, a few times at most: an audit of ten thousand
// objects must not end with one lost answer. Each attempt has a time limit of its own. Damage
// is looked at twice, since it may have happened on the way.
func Persist(ctx context.Context, limit time.Duration, ask func(ctx context.Context) error) error {
	damaged := false
	for n := 1; ; n++ {
		attempt, cancel := WithTimeout(ctx, limit)
		err := ask(attempt)
		if err != nil && attempt.Err() != nil && ctx.Err() == nil {
			err = because(attempt, err)
		}
		cancel()
		_, corrupt := errors.AsType[*segment.CorruptError](err)
		if err == nil || corrupt && damaged || n == attempts || !worthTrying(err) || ctx.Err() != nil {
			return err
		}
		damaged = damaged || corrupt
		if !corrupt && !Sleep(ctx, requests.After(n)) {
			return context.Cause(ctx)
		}
	}
}

// Allowance is what an attempt to read size bytes may take.
func Allowance(size int64) time.Duration { return Timeout{PerUnit: DefaultTimeout}.For(size) }
