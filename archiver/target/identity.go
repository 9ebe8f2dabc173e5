package target

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/varve-db/varve/internal/statefile"
	"github.com/varve-db/varve/segment"
)

// ErrNoIdentity is wrapped by the error for a target that is no archive: it was never made one,
// or its disk is not mounted and it is the folder below.
var ErrNoIdentity = errors.New("no archive is there")

// ErrBadIdentity is wrapped by the error for a target whose identity is damaged.
var ErrBadIdentity = errors.New("not an identity")

const (
	identityFormat = 1
	maxIdentity    = 1 << 16 // bytes of the object, far above what is written
)

// Identity distinguishes an archive from every other one. It is an object of the target, made
// once, and every receipt names it. So receipts for a disk that is not mounted, or for a bucket
// that was made anew, do not count.
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
		return Identity{}, fmt.Errorf("%s: object %s: %w", t.URL(), IdentityName, err)
	}
	return id, nil
}

// readIdentity returns the object, or the first maxIdentity bytes of a longer one.
func readIdentity(ctx context.Context, t Target) ([]byte, error) {
	r, err := t.Open(ctx, IdentityName, 0, maxIdentity)
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
		return id, fmt.Errorf("identity of format %d: %w; %s", id.Format, segment.ErrVersion, segment.UseNewer)
	}
	if id.Format != identityFormat || !statefile.ValidID(id.ID) {
		return id, fmt.Errorf("%w: no known format, or no id; put it back from another copy of the archive", ErrBadIdentity)
	}
	return id, nil
}

// Init makes the target an archive, or finds that it is one. Of several callers
// one makes it, and all return the same identity.
func Init(ctx context.Context, t Target) (Identity, error) {
	id := Identity{Format: identityFormat, ID: statefile.NewID(), Made: time.Now().UTC().Truncate(time.Second)}
	b, err := json.MarshalIndent(id, "", "  ")
	if err != nil {
		return Identity{}, err
	}
	b = append(b, '\n')
	err = t.Put(ctx, IdentityName, bytes.NewReader(b), int64(len(b)), sha256.Sum256(b))
	if err == nil || errors.Is(err, ErrExists) {
		if err := MakeReserve(ctx, t); err != nil {
			return Identity{}, fmt.Errorf("%s: make the archive: %w", t.URL(), err)
		}
	}
	switch {
	case err == nil:
		return id, nil
	case !errors.Is(err, ErrExists):
		return Identity{}, fmt.Errorf("%s: make the archive: %w", t.URL(), err)
	}
	if _, err := t.Sum(ctx, IdentityName); err != nil { // makes it durable, also if another process made it
		return Identity{}, fmt.Errorf("%s: the identity of the archive: %w", t.URL(), err)
	}
	return Identify(ctx, t)
}

// ErrOtherArchive is wrapped by an OtherArchiveError.
var ErrOtherArchive = errors.New("the target is another archive than it was")

// OtherArchiveError is the error for a target that was one archive and is another now: a disk
// was swapped, a bucket made anew. Nothing is shipped to the new one until it is accepted: see
// archiver.Options.Accept.
type OtherArchiveError struct {
	URL string
	Was string // the ID of the archive that it was
	Is  Identity
}

// Error names both archives, and what to do.
func (e *OtherArchiveError) Error() string {
	return fmt.Sprintf("%s: %v: it was %s, and is %s, made %v; bring back the first or, if it is lost for good, accept the second in its place: all is shipped there again",
		e.URL, ErrOtherArchive, e.Was, e.Is.ID, e.Is.Made)
}

// Unwrap returns ErrOtherArchive.
func (e *OtherArchiveError) Unwrap() error { return ErrOtherArchive }

// The names in an archive:
//
//	varve-archive.json                     the identity of the target, made once
//	varve-reserve                          room for a prune of a full target
//	<uuid>/<timeline>/<id>.seg             a sealed segment, byte for byte
//	<uuid>/<timeline>/<id>.gone            what says why a segment was deleted, by prune
//	<uuid>/<timeline>/<id>.gap             a segment that is missing, accepted, with the reason
//	<uuid>/backups/<id>.json               a backup: a pin on segments
//	<uuid>/backups/<id>.gone               a backup that was deleted; its id is not used again
//	<uuid>/prune/<id>.json                 the first phase of a prune: what the second may delete; or tips that are given up
//	<uuid>/prune/<id>.wait                 the second phase of that has not begun
//	<uuid>/heartbeat/<n>.json              up to when all of a timeline is archived
//	<uuid>/restores/<id>.json              a restore that runs, and pins what it reads
//
// Ids of segments have 20 decimal digits, as in the store's folder, timelines
// 16 hexadecimal ones. No hash is in a name, so that different content under
// one id collides and is found.
const IdentityName = segment.ArchiveName
