package archiver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/varve-db/varve/segment"
)

// VerifyOptions says how a backup is verified.
type VerifyOptions struct {
	Data     bool          // read every byte; else sizes, footers, and the hashes that the target knows without reading
	Parallel int           // segments at a time; zero: 4
	OnRead   func(n int64) // with Data: called for bytes read, from several goroutines; may be nil
}

// VerifyReport is what a verify found.
type VerifyReport struct {
	Backup   uint64       `json:"backup"`
	Segments int          `json:"segments"` // looked at
	Bytes    int64        `json:"bytes"`    // of those that are there
	Level    string       `json:"level"`    // what was compared: "size", "hash" or "data"
	Bad      []BadSegment `json:"bad,omitempty"`

	// Digest is "same" if sizes and hashes add up to the manifest's digest,
	// "other" if not, "unknown" where hashes were not to be had, or segments are bad.
	Digest string `json:"digest"`

	Unread []AuditTip `json:"unread,omitempty"` // tips whose newest state the backup does not pin: they were not looked at
}

// OK reports whether nothing bad was found.
func (r *VerifyReport) OK() bool { return len(r.Bad) == 0 && r.Digest != "other" }

// BadSegment is a segment that is not what the backup needs.
type BadSegment struct {
	Ref     segment.Ref `json:"segment"`
	Object  string      `json:"object"` // its URL
	Problem string      `json:"problem"`
}

// Verify looks at every segment of a backup. Segments that are missing or
// damaged are in the report; the error is that of the target, or of ctx.
func Verify(ctx context.Context, a *Archive, b *Backup, o VerifyOptions) (*VerifyReport, error) {
	rep := &VerifyReport{Backup: b.ID, Level: "hash", Digest: "unknown"}
	if o.Data {
		rep.Level = "data"
	}
	refs := b.Refs()
	rep.Segments = len(refs)
	var mu sync.Mutex // guards rep and total
	var total setDigest
	hashes := true
	err := fanOut(ctx, cmp.Or(o.Parallel, 4), len(refs), func(ctx context.Context, i int) error {
		info, err := verifySegment(ctx, a, b.Store, refs[i], &o)
		problem, err := problemOf(err)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		rep.Bytes += info.Size
		if problem != "" {
			rep.Bad = append(rep.Bad, BadSegment{refs[i], a.at(segmentName(b.Store, refs[i])), problem})
		}
		hashes = hashes && info.SHA256 != [32]byte{}
		total.add(term(refs[i], info.Size, info.SHA256))
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(rep.Bad, func(x, y BadSegment) int { return x.Ref.Compare(y.Ref) })
	if !hashes && len(rep.Bad) == 0 {
		rep.Level = "size"
	}
	rep.Digest = compareDigest(rep, b, hashes, total.digest())
	if rep.Unread, err = Unread(ctx, a, b.Store, refs); err != nil {
		return nil, err
	}
	return rep, nil
}

// compareDigest holds the sum of what was found against the manifest. Where no
// hash is known, the sum of the sizes is all there is to compare.
func compareDigest(rep *VerifyReport, b *Backup, hashes bool, total Digest) string {
	switch {
	case len(rep.Bad) > 0:
		return "unknown"
	case hashes && total == b.Digest:
		return "same"
	case hashes || rep.Bytes != b.Bytes:
		return "other"
	}
	return "unknown"
}

// verifySegment looks at one segment: its size and hash, as far as they are known.
func verifySegment(ctx context.Context, a *Archive, store segment.UUID, ref segment.Ref, o *VerifyOptions) (Info, error) {
	name := segmentName(store, ref)
	info, err := a.target.Stat(ctx, name)
	if err != nil {
		return Info{}, err
	}
	if !o.Data {
		// The footer proves its own place, so a file that was cut short or
		// lengthened has none; the header, that the object is this segment.
		_, err := a.Footer(ctx, store, Stored{Ref: ref, Size: info.Size})
		return info, err
	}
	ship, err := a.verifyObject(ctx, store, ref, info.Size, o.OnRead)
	if err != nil {
		return info, err
	}
	if info.SHA256 != [32]byte{} && info.SHA256 != ship.SHA256 {
		return info, &segment.CorruptError{Segment: ref, File: a.at(name), Reason: fmt.Sprintf(
			"the target says SHA-256 %v of bytes that have %v", Digest(info.SHA256), Digest(ship.SHA256))}
	}
	info.SHA256 = ship.SHA256
	return info, nil
}

// problemOf tells what is wrong with a segment from what kept it from being
// looked at.
func problemOf(err error) (problem string, _ error) {
	_, corrupt := errors.AsType[*segment.CorruptError](err)
	switch {
	case err == nil:
		return "", nil
	case errors.Is(err, ErrNotExist):
		return "it is not there", nil
	case corrupt, errors.Is(err, segment.ErrVersion):
		return err.Error(), nil
	case errors.Is(err, segment.ErrNoFooter):
		return "it does not end as a sealed segment does: cut short, or longer than it was", nil
	}
	return "", err
}
