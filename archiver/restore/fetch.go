package restore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/internal/sealed"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
	"golang.org/x/time/rate"
)

// fetchBuffer is small enough to stay in the processor's cache between reading, writing and
// hashing.
const fetchBuffer = 256 << 10

// fetcher brings objects of an archive into a folder, whole and verified.
type fetcher struct {
	a       *archive.Archive
	store   segment.UUID
	fsys    vfs.FS
	limit   *rate.Limiter  // nil: none
	timeout target.Timeout // of an attempt
	track   *tracker
}

// segment fetches a segment into its temporary file: verified, durable, mode 0400,
// without its name.
func (f *fetcher) segment(ctx context.Context, x archive.Stored) (s *sealed.Segment, err error) {
	name := archive.SegmentName(f.store, x.Ref)
	err = target.Persist(ctx, f.timeout.For(x.Size), func(ctx context.Context) error {
		return f.try(ctx, name, segment.FileName(x.Ref.ID, segment.TempExt), x.Size, func(file vfs.File, d *sealed.Digests) error {
			if s, err = d.Segment(file, x.Size); err != nil {
				return err
			}
			return isRef(s.Store, s.Ref, f.store, x.Ref)
		})
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.a.At(name), f.a.Vanished(f.a.Damaged(err, name, x.Ref), f.store, x.Ref))
	}
	return s, nil
}

// try makes one attempt to fetch the first size bytes of an object into a file. They are
// hashed as they are written, and check then judges the file by the hashes. After an error
// there is no file.
func (f *fetcher) try(ctx context.Context, name, tmp string, size int64, check func(vfs.File, *sealed.Digests) error) (err error) {
	if err := vfs.IgnoreAbsent(f.fsys.Remove(tmp)); err != nil {
		return err
	}
	out, err := f.fsys.Create(tmp)
	if err != nil {
		return noRoom(err)
	}
	done := int64(0)
	defer func() {
		if err = errors.Join(err, out.Close()); err != nil {
			f.track.add(-done)
			err = errors.Join(err, vfs.IgnoreAbsent(f.fsys.Remove(tmp)))
		}
	}()
	if err := out.Reserve(size); err != nil && vfs.IsDiskFull(err) {
		return noRoom(err)
	}
	d := sealed.NewDigests(size)
	if done, err = f.copy(ctx, out, d, name, size); err != nil {
		return err
	}
	if err = check(out, d); err != nil {
		return err
	}
	if err := out.Sync(); err != nil { // the bytes, before a name says that they are there
		return noRoom(err)
	}
	return out.Chmod(0o400)
}

// copy writes the first size bytes of an object to a file, and hashes what it
// writes. It returns how many it did write.
func (f *fetcher) copy(ctx context.Context, out vfs.File, d *sealed.Digests, name string, size int64) (off int64, err error) {
	in, err := f.a.Target().Open(ctx, name, 0, size)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	step := int64(fetchBuffer)
	if f.limit != nil {
		step = int64(f.limit.Burst())
	}
	buf := make([]byte, min(size, step))
	for off < size {
		b := buf[:min(int64(len(buf)), size-off)]
		if f.limit != nil {
			if err := f.limit.WaitN(ctx, len(b)); err != nil {
				return off, err
			}
		}
		n, err := io.ReadFull(in, b)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return off, fmt.Errorf("%d bytes came of %d: %w", off+int64(n), size, io.ErrUnexpectedEOF)
		}
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			return off, err
		}
		if _, err := out.WriteAt(b, off); err != nil {
			return off, noRoom(err)
		}
		out.WriteBack(off, int64(n))
		d.Write(b)
		off += int64(n)
		f.track.add(int64(n))
	}
	return off, nil
}

// isSegment reads a file whole and makes sure that it is a certain segment.
func (f *fetcher) isSegment(ctx context.Context, file vfs.File, x archive.Stored) (*sealed.Segment, error) {
	s, err := sealed.Verify(ctx, file, x.Size)
	if err != nil {
		return nil, err
	}
	return s, isRef(s.Store, s.Ref, f.store, x.Ref)
}

// isRef returns an error unless a header names the wanted segment.
func isRef(store segment.UUID, ref segment.Ref, wantStore segment.UUID, want segment.Ref) error {
	if store == wantStore && ref == want {
		return nil
	}
	return &segment.CorruptError{Reason: fmt.Sprintf("it is segment %v of store %v", ref, store)}
}

// ErrNoRoom is wrapped by the error of a restore that does not fit on the disk.
var ErrNoRoom = errors.New("not enough room on the disk")

// noRoom wraps the system's errors about a full disk in ErrNoRoom.
func noRoom(err error) error {
	if err != nil && vfs.IsDiskFull(err) {
		return fmt.Errorf("%w: %w; make room and restore again; what was fetched is kept", ErrNoRoom, err)
	}
	return err
}

// Progress says how far a restore has come.
type Progress struct {
	Bytes   int64     // fetched, or found in place
	Total   int64     // of the plan
	LogTime time.Time // every commit up to then is there; zero: none yet
}

// tracker counts the bytes of a restore, and how far the log has come.
type tracker struct {
	report func(Progress) // may be nil

	mu    sync.Mutex // guards what follows, and the calls of report
	now   Progress
	ended []time.Time // by place in the plan, the times of what is there; zero: not yet, or no time
	done  []bool
	next  int // the first that is not done
}

// add counts n bytes.
func (t *tracker) add(n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now.Bytes += n
	t.tell()
}

// finish notes that segment i of the plan is there.
func (t *tracker) finish(i int, sum segment.Summary) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done[i] = true
	if sum.LastTime != 0 {
		t.ended[i] = time.Unix(0, sum.LastTime).UTC()
	}
	for ; t.next < len(t.done) && t.done[t.next]; t.next++ {
		if t.ended[t.next].After(t.now.LogTime) {
			t.now.LogTime = t.ended[t.next]
		}
	}
	t.tell()
}

func (t *tracker) tell() {
	if t.report != nil {
		t.report(t.now)
	}
}
