package history

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/internal/pages"
	"github.com/varve-db/varve/segment"
)

// FS returns the plan as the folder of a store, which store.OpenReadOnlyFS opens. It is the
// one way to read an archive as a store. The folder holds the segments, which are read by
// range as long as ctx is good, and a last log like the one that a restore writes. FS reads
// the log that is cut, up to the point, and keeps it in memory. To look up single keys,
// inplace.NewReader costs less.
//
// The plan must come from At: a plan that was read from JSON has no archive. The error is one
// of reading, or a *segment.CorruptError for damage in the log that is cut.
func (p *Plan) FS(ctx context.Context) (fs.FS, error) {
	a := p.archive
	if a == nil {
		return nil, errors.New("this plan was not made by an archive; make it anew")
	}
	d := &planFS{}
	cache := pages.NewCache(64 << 20)
	for i, x := range p.Segments {
		src := &pages.Object{Cache: cache, Id: i, Src: a.Object(ctx, archive.SegmentName(p.Store, x.Ref), x.Size), Size: x.Size}
		d.files = append(d.files, planFile{segment.FileName(x.Ref.ID, segment.SealedExt), x.Size, x.Modified, src})
	}
	h := &segment.Header{
		Head: segment.Head{Kind: segment.Log, UUID: p.Store, Ref: segment.Ref{Timeline: segment.NewTimeline(), ID: p.NextID}, FirstSeq: p.Seq + 1,
			Time: segment.NextTime(segment.Nanos(p.Time), time.Time{}), Parent: p.Last, ParentSeq: p.Seq, NextID: p.NextID + 1},
		Live: segment.SetOf(p.Set()...),
	}
	var cut io.ReaderAt
	end := int64(0)
	if c := p.Cut; c != nil {
		h.FirstSeq, h.Replaced, end = c.FirstSeq, c.Ref, c.Offset
		b, err := a.ReadRange(ctx, archive.SegmentName(p.Store, c.Ref), 0, c.Offset)
		if err != nil {
			return nil, err
		}
		cut = bytes.NewReader(b)
	}
	if err := h.Check(); err != nil {
		return nil, err
	}
	mem := &memFile{}
	w := segment.NewLogWriter(mem, h)
	for rec, err := range segment.DataRecords(cut, end) {
		if err == nil {
			_, _, err = w.Add(rec)
		}
		if err != nil {
			return nil, a.Damaged(err, archive.SegmentName(p.Store, p.Cut.Ref), p.Cut.Ref)
		}
	}
	if err := w.AddClose(0, 0); err != nil {
		return nil, err
	}
	d.files = append(d.files, planFile{segment.FileName(p.NextID, segment.OpenExt), int64(len(mem.b)), p.Time, bytes.NewReader(mem.b)})
	slices.SortFunc(d.files, func(a, b planFile) int { return strings.Compare(a.name, b.name) })
	return d, nil
}

// memFile is a file in memory that is only appended to.
type memFile struct{ b []byte }

// WriteAt appends.
func (m *memFile) WriteAt(b []byte, off int64) (int, error) {
	if off != int64(len(m.b)) {
		return 0, fmt.Errorf("write at %d of %d bytes: %w", off, len(m.b), fs.ErrInvalid)
	}
	m.b = append(m.b, b...)
	return len(b), nil
}

// planFS is a folder of files that are read by range.
type planFS struct{ files []planFile }

// planFile is a file, and its own description.
type planFile struct {
	name     string
	size     int64
	modified time.Time
	src      io.ReaderAt
}

func (f planFile) Name() string               { return f.name }
func (f planFile) Size() int64                { return f.size }
func (f planFile) Mode() fs.FileMode          { return 0o400 }
func (f planFile) ModTime() time.Time         { return f.modified }
func (f planFile) IsDir() bool                { return false }
func (f planFile) Sys() any                   { return nil }
func (f planFile) Type() fs.FileMode          { return 0 }
func (f planFile) Info() (fs.FileInfo, error) { return f, nil }

// Open opens a file, or the folder itself.
func (d *planFS) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if name == "." {
		return &openPlanDir{planDir{}, d.files}, nil
	}
	i, ok := slices.BinarySearchFunc(d.files, name, func(f planFile, name string) int { return strings.Compare(f.name, name) })
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	f := d.files[i]
	return &openPlanFile{io.NewSectionReader(f.src, 0, f.size), f}, nil
}

// ReadDir lists the folder.
func (d *planFS) ReadDir(name string) ([]fs.DirEntry, error) {
	if name != "." {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	list := make([]fs.DirEntry, len(d.files))
	for i, f := range d.files {
		list[i] = f
	}
	return list, nil
}

// openPlanFile is an open file. It is an io.ReaderAt and io.Seeker, too.
type openPlanFile struct {
	*io.SectionReader
	info planFile
}

func (f *openPlanFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *openPlanFile) Close() error               { return nil }

// planDir describes the folder.
type planDir struct{}

func (planDir) Name() string       { return "." }
func (planDir) Size() int64        { return 0 }
func (planDir) Mode() fs.FileMode  { return fs.ModeDir | 0o500 }
func (planDir) ModTime() time.Time { return time.Time{} }
func (planDir) IsDir() bool        { return true }
func (planDir) Sys() any           { return nil }

// openPlanDir is the open folder.
type openPlanDir struct {
	planDir
	rest []planFile
}

func (d *openPlanDir) Stat() (fs.FileInfo, error) { return d.planDir, nil }
func (d *openPlanDir) Close() error               { return nil }

// Read is an error: it is a folder.
func (d *openPlanDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: ".", Err: fs.ErrInvalid}
}

// ReadDir lists what was not listed yet.
func (d *openPlanDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if n > 0 && len(d.rest) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(d.rest) {
		n = len(d.rest)
	}
	list := make([]fs.DirEntry, n)
	for i, f := range d.rest[:n] {
		list[i] = f
	}
	d.rest = d.rest[n:]
	return list, nil
}
