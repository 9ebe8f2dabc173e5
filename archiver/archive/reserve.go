package archive

import (
	"context"
	"errors"

	"github.com/varve-db/varve/archiver/target"
)

// MakeReserve makes the reserve where it is not there. A target without the room is
// no error.
func (a *Archive) MakeReserve(ctx context.Context) error { return target.MakeReserve(ctx, a.target) }

// InReserve calls put. Where the target is full it deletes the reserve, and calls put
// again.
func (a *Archive) InReserve(ctx context.Context, put func() error) error {
	err := put()
	if !errors.Is(err, target.ErrFull) {
		return err
	}
	if err := a.target.Delete(ctx, target.ReserveName); err != nil {
		return err
	}
	return put()
}
