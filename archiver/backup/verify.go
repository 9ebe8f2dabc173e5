package backup

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/internal/parallel"
	"github.com/varve-db/varve/archiver/source"
	"github.com/varve-db/varve/archiver/target"
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
	Backup   uint64               `json:"backup"`
	Segments int                  `json:"segments"` // looked at
	Bytes    int64                `json:"bytes"`    // of those that are there
	Level    string               `json:"level"`    // what was compared: "size", "hash" or "data"
	Bad      []archive.BadSegment `json:"bad,omitempty"`

	// Digest is "same" if sizes and hashes add up to the manifest's digest, "other" if not,
	// "unknown" where hashes are missing, or segments are bad.
	Digest string `json:"digest"`

	Unread []archive.Tip `json:"unread,omitempty"` // tips whose newest state the backup does not pin: they were not looked at
}

// OK reports whether nothing bad was found.
func (r *VerifyReport) OK() bool { return len(r.Bad) == 0 && r.Digest != "other" }

// Verify looks at every segment of a backup. Segments that are missing or damaged are in the
// report; the error is the target's or ctx's.
func Verify(ctx context.Context, a *archive.Archive, b *archive.Backup, o VerifyOptions) (*VerifyReport, error) {
	rep := &VerifyReport{Backup: b.ID, Level: "hash", Digest: "unknown"}
	if o.Data {
		rep.Level = "data"
	}
	refs := b.Refs()
	rep.Segments = len(refs)
	var mu sync.Mutex // guards rep and total
	var total digest
	hashes := true
	err := parallel.Each(ctx, cmp.Or(o.Parallel, 4), len(refs), func(ctx context.Context, i int) error {
		info, err := verifySegment(ctx, a, b.Store, refs[i], &o)
		problem, err := archive.ProblemOf(err)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		rep.Bytes += info.Size
		if problem != "" {
			rep.Bad = append(rep.Bad, archive.BadSegment{Ref: refs[i], Object: a.At(archive.SegmentName(b.Store, refs[i])), Problem: problem})
		}
		hashes = hashes && info.SHA256 != [32]byte{}
		total.add(term(refs[i], info.Size, info.SHA256))
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(rep.Bad, func(x, y archive.BadSegment) int { return x.Ref.Compare(y.Ref) })
	if !hashes && len(rep.Bad) == 0 {
		rep.Level = "size"
	}
	rep.Digest = compareDigest(rep, b, hashes, total.sum())
	if rep.Unread, err = history.Unread(ctx, a, b.Store, refs); err != nil {
		return nil, err
	}
	return rep, nil
}

// compareDigest compares the sum of what was found with the manifest's digest. Where no hash
// is known, only the sizes are compared.
func compareDigest(rep *VerifyReport, b *archive.Backup, hashes bool, total segment.Digest) string {
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
func verifySegment(ctx context.Context, a *archive.Archive, store segment.UUID, ref segment.Ref, o *VerifyOptions) (target.Info, error) {
	name := archive.SegmentName(store, ref)
	info, err := a.Target().Stat(ctx, name)
	if err != nil {
		return target.Info{}, err
	}
	if !o.Data {
		// The footer proves its own place, so a file that was cut short or
		// lengthened has none; the header, that the object is this segment.
		_, err := a.Footer(ctx, store, archive.Stored{Ref: ref, Size: info.Size})
		return info, err
	}
	sum, err := a.VerifyObject(ctx, store, ref, info.Size, o.OnRead)
	if err != nil {
		return info, err
	}
	if info.SHA256 != [32]byte{} && info.SHA256 != sum {
		return info, &segment.CorruptError{Segment: ref, File: a.At(name), Reason: fmt.Sprintf(
			"the target says SHA-256 %v of bytes that have %v", segment.Digest(info.SHA256), segment.Digest(sum))}
	}
	info.SHA256 = sum
	return info, nil
}

// CheckCopy reads the segments of a backup in a restored store, every byte of them, and
// compares their digest with the backup's. If they are equal, these are the very files that
// were backed up. The error is a *segment.CorruptError, wraps target.ErrNotExist for a segment
// that is not there, or is one of reading.
func CheckCopy(ctx context.Context, b *archive.Backup, fsys fs.FS) error {
	src := source.New(fsys)
	list, err := src.Segments()
	if err != nil {
		return err
	}
	files := map[segment.Ref]string{}
	for _, g := range list.Segments {
		files[g.Ref] = g.Name
	}
	var total digest
	for _, ref := range b.Refs() {
		name, ok := files[ref]
		if !ok {
			return fmt.Errorf("backup %d: segment %v: %w", b.ID, ref, target.ErrNotExist)
		}
		size, sum, err := src.Verify(ctx, name)
		if err != nil {
			return err
		}
		total.add(term(ref, size, sum))
	}
	if got := total.sum(); got != b.Digest || list.Store != b.Store {
		return &segment.CorruptError{Segment: b.Tip, Reason: fmt.Sprintf(
			"the segments have the digest %v together; backup %d was made of %v", got, b.ID, b.Digest),
			Next: VerifyData}
	}
	return nil
}
