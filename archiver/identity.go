package archiver

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/varve-db/varve/segment"
)

// ErrNoIdentity is wrapped by the error for a target that is no archive: nobody
// has made it one, or it is not the place that it was, such as the folder
// below which a disk is not mounted.
var ErrNoIdentity = errors.New("no archive is there")

// ErrBadIdentity is wrapped by the error for a target whose identity is damaged.
var ErrBadIdentity = errors.New("not an identity")

const (
	identityFormat = 1
	maxIdentity    = 1 << 16 // bytes of the object, far above what is written
)

// Identity tells an archive from every other one. It is an object of the target,
// made once, and every receipt names it. So receipts for a disk that is not
// mounted, or for a bucket that was made anew, count for nothing.
type Identity struct {
	Format int       `json:"format"` // 1
	ID     string    `json:"id"`     // 32 hexadecimal digits, random
	Made   time.Time `json:"made"`   // UTC
}

// Identify reads the identity of a target. The error wraps ErrNoIdentity where
// there is none, ErrBadIdentity where it is damaged, and segment.ErrVersion where a
// newer varve made it.
func Identify(ctx context.Context, t Target) (Identity, error) {
	var id Identity
	b, err := readIdentity(ctx, t)
	if errors.Is(err, ErrNotExist) {
		return id, fmt.Errorf("%s: %w: %w", t.URL(), ErrNoIdentity, err)
	}
	if err != nil {
		return id, fmt.Errorf("%s: the identity of the archive: %w", t.URL(), err)
	}
	if id, err = parseIdentity(b); err != nil {
		return Identity{}, fmt.Errorf("%s: object %s: %w", t.URL(), identityName, err)
	}
	return id, nil
}

// readIdentity returns the object, or so much of it that it is seen to be too long.
func readIdentity(ctx context.Context, t Target) ([]byte, error) {
	r, err := t.Open(ctx, identityName, 0, maxIdentity)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	return b, errors.Join(err, r.Close())
}

func parseIdentity(b []byte) (Identity, error) {
	var id Identity
	if err := json.Unmarshal(b, &id); err != nil {
		return id, fmt.Errorf("%w: %w; put it back from another copy of the archive", ErrBadIdentity, err)
	}
	if id.Format > identityFormat {
		return id, fmt.Errorf("identity of format %d: %w; upgrade varve", id.Format, segment.ErrVersion)
	}
	if id.Format != identityFormat || !validID(id.ID) {
		return id, fmt.Errorf("%w: no known format, or no id; put it back from another copy of the archive", ErrBadIdentity)
	}
	return id, nil
}

// Init makes the target an archive, or finds that it is one. Of several callers
// one makes it, and all return the same identity.
func Init(ctx context.Context, t Target) (Identity, error) {
	id := Identity{Format: identityFormat, ID: newID(), Made: time.Now().UTC().Truncate(time.Second)}
	b, err := json.MarshalIndent(id, "", "  ")
	if err != nil {
		return Identity{}, err
	}
	b = append(b, '\n')
	err = t.Put(ctx, identityName, bytes.NewReader(b), int64(len(b)), sha256.Sum256(b))
	if err == nil || errors.Is(err, ErrExists) {
		if err := makeReserve(ctx, t); err != nil {
			return Identity{}, fmt.Errorf("%s: make the archive: %w", t.URL(), err)
		}
	}
	switch {
	case err == nil:
		return id, nil
	case !errors.Is(err, ErrExists):
		return Identity{}, fmt.Errorf("%s: make the archive: %w", t.URL(), err)
	}
	if _, err := t.Sum(ctx, identityName); err != nil { // now it is durable, whoever made it
		return Identity{}, fmt.Errorf("%s: the identity of the archive: %w", t.URL(), err)
	}
	return Identify(ctx, t)
}
