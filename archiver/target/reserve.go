package target

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
)

// The reserve is an object without content of value. On a full target prune deletes it, to have
// room for what it must write before it may delete.
const (
	ReserveName = "varve-reserve"
	reserveSize = 64 << 10 // a few plans and markers, each of which takes a block
)

// MakeReserve makes the reserve of an archive where it is not there. A target without the room
// is no error.
func MakeReserve(ctx context.Context, t Target) error {
	_, err := t.Stat(ctx, ReserveName)
	if !errors.Is(err, ErrNotExist) {
		return err
	}
	b := make([]byte, reserveSize)
	rand.Read(b) // never fails; a file system may keep room for no zeros
	err = t.Put(ctx, ReserveName, bytes.NewReader(b), reserveSize, sha256.Sum256(b))
	if errors.Is(err, ErrExists) || errors.Is(err, ErrFull) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the reserve for a prune of a full archive: %w", err)
	}
	return nil
}
