package archiver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/internal/sealed"
	"github.com/varve-db/varve/archiver/internal/throttle"
	"github.com/varve-db/varve/archiver/source"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/segment"
)

// outcome says how a target came to have a segment.
type outcome struct {
	sent bool // else it was there already
	size int64
	took time.Duration
}

// sourceError is the error of a segment that cannot be read, or must not be sent:
// no target is to blame, and it is set aside.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

// receiptsError is an error of the folder of receipts: no target is to blame.
type receiptsError struct{ err error }

func (e *receiptsError) Error() string { return e.err.Error() }
func (e *receiptsError) Unwrap() error { return e.err }

func ofReceipts(err error) error {
	if errors.Is(err, receipt.ErrConflict) { // which is about the target, too
		return fmt.Errorf("%w: %w", target.ErrConflict, err)
	}
	if err == nil {
		return nil
	}
	return &receiptsError{err}
}

// errGone is the error for a segment that is gone, or has another name: the next listing shows
// which.
var errGone = errors.New("the segment's file is gone")

// ship brings one segment to the target, and writes its receipt. It is one attempt.
func (l *shipper) ship(ctx context.Context, seg source.Sealed) (outcome, error) {
	a := l.a
	if has, err := a.receipts.Has(l.id.ID, seg.Ref); has || err != nil {
		return outcome{size: seg.Size}, ofReceipts(err)
	}
	f, err := a.source.Open(seg.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return outcome{}, errGone
	}
	if err != nil {
		return outcome{}, a.skip(seg, err)
	}
	defer f.Close()
	if dir, ok := l.target.(target.CheckedPutter); ok && a.known(seg, f) == nil {
		if _, err := dir.Stat(ctx, archive.SegmentName(seg.Store, seg.Ref)); errors.Is(err, target.ErrNotExist) {
			return l.shipChecked(ctx, dir, seg, f)
		}
	}
	s, err := a.verified(ctx, seg, f)
	if err != nil {
		return outcome{}, err
	}
	begun := time.Now()
	ctx, cancel := target.WithTimeout(ctx, a.timeout.For(s.Size))
	defer cancel()
	sent, err := l.store(ctx, f, s)
	if err == nil {
		err = l.receipt(ctx, s)
	}
	return outcome{sent, s.Size, time.Since(begun)}, inTime(ctx, err)
}

// inTime returns err, with the reason why ctx ended if that is what ended the attempt.
func inTime(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return err
}

// store makes the target hold the segment. It asks, sends, and asks again if the answer leaves
// open what happened.
func (l *shipper) store(ctx context.Context, f io.ReaderAt, s *sealed.Segment) (sent bool, err error) {
	there, err := l.holds(ctx, s)
	if there || err != nil {
		return false, err
	}
	name, src := archive.SegmentName(s.Store, s.Ref), l.paced(ctx, f)
	if dir, ok := l.target.(target.CheckedPutter); ok {
		d := sealed.NewDigests(s.Size)
		err = dir.PutChecked(ctx, name, src, s.Size, d, func(io.ReaderAt) error {
			if got := d.Whole(); got != s.SHA256 {
				return fmt.Errorf("what is to be stored has SHA-256 %v and not %v: it changed since it was verified; try again", segment.Digest(got), segment.Digest(s.SHA256))
			}
			return nil
		})
	} else {
		err = l.target.Put(ctx, name, src, s.Size, s.SHA256)
	}
	return l.resolve(ctx, s, err)
}

// paced returns a reader of the segment's file that is no faster than the rate allows.
func (l *shipper) paced(ctx context.Context, f io.ReaderAt) io.ReaderAt {
	if l.a.limit != nil {
		return throttle.Reader{Ctx: ctx, Src: f, Limit: l.a.limit}
	}
	return f
}

// resolve finds out from the end of a put whether the segment was sent.
func (l *shipper) resolve(ctx context.Context, s *sealed.Segment, err error) (sent bool, _ error) {
	if err == nil {
		return true, nil
	}
	l.a.unverify(s.Ref) // if the file has changed, the next attempt finds it
	there, again := l.holds(ctx, s)
	switch {
	case there: // the answer was lost, or somebody else sent it
		return !errors.Is(err, target.ErrExists), nil
	case errors.Is(again, target.ErrConflict):
		return false, again
	}
	return false, fmt.Errorf("%s: segment %v: %w", l.url, s.Ref, err)
}

// holds reports whether the target has the segment, with exactly these bytes. Other bytes under
// its name are target.ErrConflict.
func (l *shipper) holds(ctx context.Context, s *sealed.Segment) (bool, error) {
	name := archive.SegmentName(s.Store, s.Ref)
	info, err := l.target.Sum(ctx, name)
	if errors.Is(err, target.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%s: segment %v: %w", l.url, s.Ref, err)
	}
	if info.Size != s.Size || info.SHA256 != s.SHA256 {
		return false, fmt.Errorf("%s: object %s: %w: %d bytes of SHA-256 %v are there, the store's segment has %d of %v; "+
			"nothing was overwritten and nothing is shipped there any more; find out which is right, move the other away, and start again",
			l.url, name, target.ErrConflict, info.Size, segment.Digest(info.SHA256), s.Size, segment.Digest(s.SHA256))
	}
	return true, nil
}

// receipt writes the receipt of a segment that the target has. The object is durable, but if a
// disk was unmounted meanwhile, it is in the folder below. So the identity is read once more:
// only an object in that archive gets a receipt.
func (l *shipper) receipt(ctx context.Context, s *sealed.Segment) error {
	if err := l.identified(ctx); err != nil {
		return err
	}
	return ofReceipts(l.a.receipts.Write(s.Receipt(l.id.ID, l.url, archive.SegmentName(s.Store, s.Ref))))
}
