package archiver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/internal/sealed"
	"github.com/varve-db/varve/archiver/source"
	"github.com/varve-db/varve/archiver/target"
)

// A folder takes a segment in one pass: it is verified as it is copied, and gets its name only
// if it is sound. Other targets need the SHA-256 before the bytes, so for them it is read twice.

// errDoubt is the error of a copy that is not a sound segment.
var errDoubt = errors.New("the copy is not the segment that was sealed")

// shipChecked is ship to a folder that has no object of the segment's name.
func (l *shipper) shipChecked(ctx context.Context, dir target.CheckedPutter, seg source.Sealed, f *source.Opened) (outcome, error) {
	begun := time.Now()
	within, cancel := target.WithTimeout(ctx, l.a.timeout.For(f.Size))
	defer cancel()
	src := &noting{src: l.paced(within, f)}
	var s *sealed.Segment
	d := sealed.NewDigests(f.Size)
	err := dir.PutChecked(within, archive.SegmentName(seg.Store, seg.Ref), src, f.Size, d, func(file io.ReaderAt) error {
		found, err := d.Segment(file, f.Size)
		if err != nil || found.Ref != seg.Ref || found.Store != seg.Store {
			return errDoubt
		}
		s = found
		l.a.know(seg, s)
		return nil
	})
	if s == nil && (src.failed || errors.Is(err, errDoubt)) && within.Err() == nil {
		if _, bad := l.a.verified(ctx, seg, f); bad != nil { // names what is wrong with it, and sets it aside
			return outcome{}, bad
		}
	}
	if s == nil {
		return outcome{}, inTime(within, fmt.Errorf("%s: segment %v: %w", l.url, seg.Ref, err))
	}
	sent, err := l.resolve(within, s, err)
	if err == nil {
		err = l.receipt(within, s)
	}
	return outcome{sent, s.Size, time.Since(begun)}, inTime(within, err)
}

// noting remembers that src failed.
type noting struct {
	src    io.ReaderAt
	failed bool
}

// ReadAt implements io.ReaderAt, for one goroutine.
func (n *noting) ReadAt(b []byte, off int64) (int, error) {
	m, err := n.src.ReadAt(b, off)
	n.failed = n.failed || m < len(b)
	return m, err
}
