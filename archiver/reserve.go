package archiver

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
)

// The reserve is an object that is worth nothing: it keeps room that prune can give
// itself on a full target, for what it has to write before it may delete.
const (
	reserveName = "varve-reserve"
	reserveSize = 64 << 10 // a few plans and markers, each of which takes a block
)

// makeReserve makes the reserve where it is not there. A target without the room is
// no error.
func (a *Archive) makeReserve(ctx context.Context) error { return makeReserve(ctx, a.target) }

func makeReserve(ctx context.Context, t Target) error {
	_, err := t.Stat(ctx, reserveName)
	if !errors.Is(err, ErrNotExist) {
		return err
	}
	b := make([]byte, reserveSize)
	rand.Read(b) // never fails; a file system may keep room for no zeros
	err = t.Put(ctx, reserveName, bytes.NewReader(b), reserveSize, sha256.Sum256(b))
	if errors.Is(err, ErrExists) || errors.Is(err, ErrFull) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the reserve for a prune of a full archive: %w", err)
	}
	return nil
}

// inReserve calls put. Where the target is full it deletes the reserve, and calls put
// again.
func (a *Archive) inReserve(ctx context.Context, put func() error) error {
	err := put()
	if !errors.Is(err, ErrFull) {
		return err
	}
	if err := a.target.Delete(ctx, reserveName); err != nil {
		return err
	}
	return put()
}
