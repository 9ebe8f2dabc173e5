package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime/debug"
	"sync/atomic"

	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// segFile is the reading side of one segment file. It is used by readers
// without a lock: who reads holds a pin, and the file is let go with the last.
type segFile struct {
	ref  segment.Ref
	slot uint32 // its number in the index
	seed segment.ChecksumSeed
	path string // for messages, as of when it was opened

	doubts *doubts // of a store that may have newer versions of what is here

	first uint64        // sequence numbers that a record in it can have
	last  atomic.Uint64 // of a log that is written to, the newest

	// sealed is when it was sealed, in ns since 1970, by its last commit or, where that
	// is not known, by when it was begun; of a log that is written to, zero.
	sealed atomic.Int64

	// size is how many bytes can be read from the file; of a log, what has been
	// written to it. What lies behind is looked up in unwritten.
	size      atomic.Int64
	unwritten func(lf *segFile, off int64, dst []byte) bool

	src  atomic.Pointer[source]
	pins atomic.Int64

	unmapped *unmapped // until FooterRead; of a sealed file
}

// unmapped is a sealed file that was opened and is read through its handle: so its footer
// is, see integrity.ResolveOptions.
type unmapped struct {
	f    vfs.File
	name string
	few  *vfs.Handles
}

// FooterRead maps the file. No one else may read it yet.
func (f *segFile) FooterRead() {
	u := f.unmapped
	if u == nil {
		return
	}
	f.unmapped = nil
	s := newSource(u.f, f.size.Load(), true)
	if s.crowded {
		h := u.few.Adopt(u.name, u.f)
		s.r, s.close = h, h.Close
	}
	f.src.Store(s)
}

// source is where a segFile's bytes come from: a map of the file, or the file.
//
// In a prototype, on ext4 with 1 M objects of 128 bytes, a get through the map took
// two thirds of the time of one through pread(2); so the map it is where there
// is one, with its faults guarded.
type source struct {
	data  []byte
	unmap func() error
	r     io.ReaderAt
	close func() error
	older *source // replaced by this one and perhaps still being read

	// crowded: it would be mapped, but that the process has as many maps as it may have. A
	// sealed file is then read through one of a few handles, by its name.
	crowded bool
}

// release lets go of the source and those that it replaced.
func (s *source) release() error {
	var err error
	for ; s != nil; s = s.older {
		if s.unmap != nil {
			err = errors.Join(err, s.unmap())
		}
		if s.close != nil {
			err = errors.Join(err, s.close())
		}
	}
	return err
}

// newSource maps the first n bytes of f, or reads from f itself where it cannot
// be mapped. Where owned, f is closed as soon as it is not needed.
func newSource(f vfs.File, n int64, owned bool) *source {
	s := &source{r: f}
	if owned {
		s.close = f.Close
	}
	data, unmap, err := f.Map(n)
	if err != nil {
		s.crowded = errors.Is(err, vfs.ErrTooManyMaps)
		return s
	}
	s.data, s.unmap = data, unmap
	if owned {
		f.Close() // the map outlives it; it was only read
		s.close, s.r = nil, nil
	}
	return s
}

// pin keeps the file readable; the caller holds the lock under which it found it.
func (f *segFile) pin() { f.pins.Add(1) }

// unpin undoes one pin. The store itself holds one until it lets go of the file.
func (f *segFile) unpin() {
	if f.pins.Add(-1) == 0 {
		f.src.Load().release()
	}
}

// ReadAt and Close make a segFile an [integrity.Source], whose owner holds a pin.
func (f *segFile) ReadAt(b []byte, off int64) (int, error) {
	if err := f.read(b, off); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Close undoes the owner's pin.
func (f *segFile) Close() error {
	f.unpin()
	return nil
}

// own hands the file's writing handle over, to be closed when it is no longer
// needed: at once where the map has everything, else with the last reader.
func (f *segFile) own(h vfs.File) {
	old := f.src.Load()
	if old == nil || f.size.Load() <= int64(len(old.data)) {
		h.Close() // what was written through it is synced, or given up
		return
	}
	f.src.Store(&source{data: old.data, unmap: old.unmap, r: h, close: h.Close, older: old.older})
}

// ownSealed is own of a file that has its name for good. Where there was no map to be had,
// the handle is closed for one of a few: a store that goes on for long would else come to
// an end with its file handles.
func (f *segFile) ownSealed(h vfs.File, few *vfs.Handles, name string) {
	if old := f.src.Load(); old != nil && old.crowded {
		if by, err := few.Open(name); err == nil {
			f.src.Store(&source{r: by, close: by.Close, older: old.older, crowded: true})
			h.Close() // who reads it just now is done, or looks again
			return
		}
	}
	f.own(h)
}

// read fills dst from offset off on. A part that the file no longer has, or that
// the disk cannot read, is an error.
func (f *segFile) read(dst []byte, off int64) error {
	for off+int64(len(dst)) > f.size.Load() {
		if f.unwritten != nil && f.unwritten(f, off, dst) {
			return nil
		}
		if off+int64(len(dst)) > f.size.Load() { // it was not written meanwhile
			return fmt.Errorf("%s: read %d bytes at offset %d: %w", f.path, len(dst), off, io.ErrUnexpectedEOF)
		}
	}
	for {
		s := f.src.Load()
		err := s.readAt(f.path, dst, off)
		if err == nil || !errors.Is(err, fs.ErrClosed) || f.src.Load() == s {
			return err
		}
		// The handle was closed as another took its place.
	}
}

// readAt is read from a source.
func (s *source) readAt(path string, dst []byte, off int64) error {
	if s.data != nil && off+int64(len(dst)) <= int64(len(s.data)) {
		if guardedCopy(dst, s.data[off:]) {
			return nil
		}
		return fmt.Errorf("%s: read %d bytes at offset %d: the file is shorter than it was, or the disk cannot read it", path, len(dst), off)
	}
	if s.r == nil {
		return fmt.Errorf("%s: read %d bytes at offset %d: %w", path, len(dst), off, io.ErrUnexpectedEOF)
	}
	if n, err := s.r.ReadAt(dst, off); n < len(dst) {
		return fmt.Errorf("%s: read %d bytes at offset %d: %w", path, len(dst), off, err)
	}
	return nil
}

// guardedCopy copies from a map; see guarded.
func guardedCopy(dst, src []byte) bool {
	return guarded(func() bool {
		copy(dst, src)
		return true
	})
}

// guarded calls fn, which reads from maps. A page that the file lost, or that
// the disk cannot read, makes it return false instead of ending the process.
func guarded(fn func() bool) (ok bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			if _, fault := r.(interface{ Addr() uintptr }); !fault {
				panic(r)
			}
			ok = false
		}
	}()
	return fn()
}

// record reads and checks the record of size bytes at offset off into buf, which
// it returns, grown if needed; rec's slices lie in it.
func (f *segFile) record(buf []byte, off, size int64, rec *segment.Record) ([]byte, error) {
	if int64(cap(buf)) < size {
		buf = make([]byte, size)
	}
	buf = buf[:size]
	if err := f.read(buf, off); err != nil {
		return buf, err
	}
	return buf, f.parse(buf, off, rec)
}

// parse checks that b is the whole record that the index means.
func (f *segFile) parse(b []byte, off int64, rec *segment.Record) error {
	err := f.seed.ParseRecord(b, off, rec)
	if err == nil && rec.Size == int64(len(b)) && rec.Kind == segment.Put && rec.Seq >= f.first && rec.Seq <= f.last.Load() {
		return f.doubts.stale(rec.Key, rec.Seq)
	}
	switch {
	case errors.Is(err, segment.ErrShort):
		err = &CorruptError{Offset: off, Reason: "record cut off"}
	case err != nil:
	case rec.Size != int64(len(b)) || rec.Kind != segment.Put:
		err = &CorruptError{Offset: off, Reason: "another record than the index has"}
	default:
		err = &CorruptError{Offset: off, Reason: fmt.Sprintf("sequence number %d is not of this segment", rec.Seq)}
	}
	if c, ok := segment.AsCorrupt(err); ok {
		c.File, c.Segment = f.path, f.ref
	}
	return err
}
