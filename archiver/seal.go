package archiver

import (
	"context"
	"fmt"
	"time"

	"github.com/varve-db/varve/archiver/alarm"
	"github.com/varve-db/varve/archiver/target"
)

// sealByAge has the store's log sealed whenever it holds objects older than
// Options.SealAfter, until ctx ends.
func (a *Archiver) sealByAge(ctx context.Context) {
	for wait := time.Duration(0); target.Sleep(ctx, wait); {
		wait = a.opt.Poll
		log, age, ok, err := a.source.Unsealed()
		if err == nil && ok && age >= a.opt.SealAfter {
			a.opt.Logger.Info("the log is sealed by age", "log", log, "age", age.Round(time.Second))
			err = a.seal(ctx, a.opt.SealAfter)
			ok = false
		}
		if ok {
			wait = min(wait, max(a.opt.SealAfter-age, 100*time.Millisecond))
		}
		if ctx.Err() == nil {
			a.mu.Lock()
			a.trouble(alarm.Seal, err)
			a.mu.Unlock()
		}
	}
}

// sealTimeout bounds how long the writer may take to seal its log.
const sealTimeout = 30 * time.Second

// seal has the store's log sealed.
func (a *Archiver) seal(ctx context.Context, olderThan time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, sealTimeout, fmt.Errorf("it was not done within %v", sealTimeout))
	defer cancel()
	if err := a.opt.Sealer.Seal(ctx, olderThan); err != nil {
		return fmt.Errorf("seal the log: %w", err)
	}
	return nil
}

// A Sealer seals the log that a store is appending to, which only its writer can
// do.
type Sealer interface {
	// Seal returns when the objects that were in the newest log at the time of the call are in a
	// sealed segment, if the oldest of them has been there for olderThan; zero: for any time. A
	// log without objects is left alone, so a repeated call does nothing.
	Seal(ctx context.Context, olderThan time.Duration) error
}
