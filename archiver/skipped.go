package archiver

import (
	"context"
	"errors"
	"time"

	"github.com/varve-db/varve/archiver/internal/sealed"
	"github.com/varve-db/varve/archiver/source"
	"github.com/varve-db/varve/segment"
)

// A segment that is set aside is looked at again when its file has changed, and in any case
// after lookAgain, since a repair may keep size and time. One that could not be read is looked
// at again after readAgain.
const (
	lookAgain = time.Hour
	readAgain = time.Minute
)

// skipped is a file that is not shipped because it is damaged or cannot be read.
type skipped struct {
	seg   source.Sealed
	err   error
	since time.Time
	until time.Time // looked at again then; its monotonic part counts
}

// holds reports whether a file is still the one that was set aside, and its time has
// not come.
func (d *skipped) holds(g *source.Sealed) bool {
	return d != nil && d.seg.Same(g.Size, g.Modified) && time.Now().Before(d.until)
}

// verified returns what is known of a segment whose file is open. It reads the segment if
// nothing is known. One segment is read at a time, so that two targets that lack the same one do
// not both read it.
func (a *Archiver) verified(ctx context.Context, seg source.Sealed, f *source.Opened) (*sealed.Segment, error) {
	select {
	case a.verifying <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-a.verifying }()
	if s := a.known(seg, f); s != nil {
		return s, nil
	}
	s, err := sealed.Verify(ctx, f, f.Size)
	if err != nil && ctx.Err() != nil {
		return nil, err
	}
	if err != nil {
		return nil, a.skip(seg, segment.InFile(seg.Name, err))
	}
	if s.Ref != seg.Ref || s.Store != seg.Store {
		return nil, errGone
	}
	a.know(seg, s)
	return s, nil
}

// known returns what is known of a segment whose file is open, or nil.
func (a *Archiver) known(seg source.Sealed, f *source.Opened) *sealed.Segment {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.checked[seg.Ref]; s != nil && s.Size == f.Size {
		return s
	}
	return nil
}

// know remembers a segment that was verified.
func (a *Archiver) know(seg source.Sealed, s *sealed.Segment) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.checked[seg.Ref] = s
	delete(a.skipped, seg.Name)
}

// unverify makes a segment be read again before it is sent again.
func (a *Archiver) unverify(ref segment.Ref) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.checked, ref)
}

// forget drops what is known of a segment that no target lacks any more.
func (a *Archiver) forget(ref segment.Ref) {
	for _, l := range a.shippers {
		if l.lacks(ref) {
			return
		}
	}
	a.unverify(ref)
}

// skip keeps a segment from being shipped, and returns the error that says so.
func (a *Archiver) skip(seg source.Sealed, err error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.skipLocked(seg, err)
	return &sourceError{err}
}

// skipLocked is skip for a caller that holds a.mu.
func (a *Archiver) skipLocked(seg source.Sealed, err error) {
	wait := lookAgain
	if c := (*segment.CorruptError)(nil); !errors.As(err, &c) && !errors.Is(err, segment.ErrVersion) {
		wait = readAgain
	}
	d := a.skipped[seg.Name]
	if d == nil {
		d = &skipped{since: time.Now().UTC()}
		a.skipped[seg.Name] = d
		a.opt.Logger.Error("segment set aside: it is not shipped while it is damaged or unreadable", "file", seg.Name, "err", err)
	}
	d.seg, d.err, d.until = seg, err, time.Now().Add(wait)
}

// fit returns the segments of the newest listing that are not set aside.
func (a *Archiver) fit() []source.Sealed {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.skipped) == 0 {
		return a.listing.Segments
	}
	var list []source.Sealed
	for _, g := range a.listing.Segments {
		if !a.skipped[g.Name].holds(&g) {
			list = append(list, g)
		}
	}
	return list
}
