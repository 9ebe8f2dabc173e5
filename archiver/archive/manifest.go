package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/segment"
)

// manifest is a small object that decides whether segments are kept or deleted: a backup, the
// pin of a restore, the plan of a prune. It is JSON, with its format and, as its last field,
// the SHA-256 of itself without that field. So a manifest that was damaged, edited by hand or
// written by a newer program is recognized, and nothing is deleted while it is there.
type manifest interface {
	format() *int
	sum() *string

	// check returns an error for impossible content. It is called when format and sum are right.
	check() error
}

// manifestFormat is the format of all manifests.
const manifestFormat = 1

// encode sets format and sum of a manifest, and returns its bytes.
func encode(m manifest) ([]byte, error) {
	*m.format() = manifestFormat
	*m.sum() = ""
	b, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	h := sha256.Sum256(b)
	*m.sum() = hex.EncodeToString(h[:])
	b, err = json.MarshalIndent(m, "", " ")
	return append(b, '\n'), err
}

// decode reads what encode wrote, and nothing else. The error wraps
// segment.ErrVersion for a newer format.
func decode(b []byte, m manifest) error {
	var f struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	if f.Format > manifestFormat {
		return fmt.Errorf("format %d: %w", f.Format, segment.ErrVersion)
	}
	if f.Format != manifestFormat {
		return fmt.Errorf("format %d is none of varve's", f.Format)
	}
	if err := json.Unmarshal(b, m); err != nil {
		return err
	}
	want := *m.sum()
	again, err := encode(m)
	if err != nil {
		return err
	}
	if *m.sum() != want || !bytes.Equal(again, b) {
		return errors.New("its bytes are not those that were written")
	}
	return m.check()
}

// putSmall stores a small object where there is none of its name.
func (a *Archive) putSmall(ctx context.Context, name string, b []byte) error {
	return a.target.Put(ctx, name, bytes.NewReader(b), int64(len(b)), sha256.Sum256(b))
}

// putManifest stores a manifest where no object has its name. It first decodes the bytes that it
// is about to store: a manifest that cannot be read would stop every prune.
func (a *Archive) putManifest(ctx context.Context, name string, m manifest) error {
	b, err := encode(m)
	if err != nil {
		return err
	}
	again := reflect.New(reflect.TypeOf(m).Elem()).Interface().(manifest)
	if err := decode(b, again); err != nil {
		return fmt.Errorf("%s: the bytes to be stored cannot be decoded, so nothing is written: %w", a.At(name), err)
	}
	return a.putSmall(ctx, name, b)
}

// readManifest reads a manifest. Its error names the object; it is an
// *UnreadableError if the bytes are there, but not what they must be.
func (a *Archive) readManifest(ctx context.Context, name string, m manifest) error {
	b, err := a.readSmall(ctx, name)
	if err != nil {
		return err
	}
	if err := decode(b, m); err != nil {
		return &UnreadableError{a.At(name), err}
	}
	return nil
}

// An UnreadableError says that an object which decides what may be deleted
// cannot be understood. Nothing is deleted while it is there.
type UnreadableError struct {
	Object string // its URL
	Err    error  // wraps segment.ErrVersion for a newer format
}

// Error names the object and the next step.
func (e *UnreadableError) Error() string {
	next := segment.Remedy("put it back from another copy of the archive, or, if it is not needed, remove it by hand")
	if errors.Is(e.Err, segment.ErrVersion) {
		next = segment.UseNewer
	}
	return fmt.Sprintf("%s: cannot be read: %v; %s", e.Object, e.Err, next)
}

// Unwrap returns the reason.
func (e *UnreadableError) Unwrap() error { return e.Err }

// ErrNoReason is returned by AcceptGap without a reason.
var ErrNoReason = errors.New("a gap is accepted only with a reason: its marker keeps it")

// AcceptGap records that a segment is missing for good, and why. It writes a marker, so that
// audits no longer report the segment. If the segment is there, the error wraps
// target.ErrExists. A gap that was accepted before stays as it was.
func (a *Archive) AcceptGap(ctx context.Context, store segment.UUID, ref segment.Ref, reason string) error {
	if reason == "" {
		return ErrNoReason
	}
	if err := checkText("the reason", reason); err != nil {
		return err
	}
	name := SegmentName(store, ref)
	_, err := a.target.Stat(ctx, name)
	if err == nil {
		return fmt.Errorf("%s: %w: there is no gap", a.At(name), target.ErrExists)
	}
	if !errors.Is(err, target.ErrNotExist) {
		return err
	}
	return a.PutMarker(ctx, RefName(store, ref, "gap"), &Marker{Why: reason})
}
