package target_test

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/segment"
)

// failing always fails a Stat with the same error, and counts.
type failing struct {
	target.Target
	err   error
	count int
}

func (f *failing) Stat(context.Context, string) (target.Info, error) {
	f.count++
	return target.Info{}, f.err
}

// TestOneRetryPolicy: a request is made as often by Persist as by a target that retries.
func TestOneRetryPolicy(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{errMoody, 5}, {target.ErrExists, 5},
		{target.ErrNotExist, 1}, {target.ErrDenied, 1}, {target.ErrFull, 1}, {segment.ErrVersion, 1}, {syscall.ENOSPC, 1},
		{&segment.CorruptError{}, 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &failing{err: fmt.Errorf("stat: %w", c.err)}
			retry := target.Retry(f)
			for how, ask := range map[string]func() error{
				"Persist": func() error {
					return target.Persist(t.Context(), time.Second, func(ctx context.Context) error { _, err := f.Stat(ctx, ""); return err })
				},
				"Retry": func() error { _, err := retry.Stat(t.Context(), ""); return err },
			} {
				f.count = 0
				if err := ask(); !errors.Is(err, c.err) || f.count != c.want {
					t.Errorf("%s of %v: %d times, want %d; %v", how, c.err, f.count, c.want, err)
				}
			}
		})
	}
}
