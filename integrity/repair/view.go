package repair

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/vfs"
)

// view is a store's folder as it will be after the steps of a plan. Nothing is written. A file of the
// view is a file of the folder, perhaps under another name, or is put together from other files when
// it is read. So the code that judges a store judges the result of a plan, before a byte is changed.
type view struct {
	vfs.FS
	files map[string]*content // what differs from the folder; nil: not there

	// moved has the present name of each file that was moved while a plan is carried out.
	moved map[string]string
}

func newView(fsys vfs.FS) *view {
	return &view{FS: fsys, files: map[string]*content{}, moved: map[string]string{}}
}

// content is the bytes of a file. Exactly one of origin and open is set.
type content struct {
	origin string // the name of a file in the folder, as it was before all steps
	open   func() (integrity.Source, error)
	size   int64
	mode   fs.FileMode
}

// of returns the content under a name; nil: there is no file. A file that cannot be asked about
// counts as there.
func (v *view) of(name string) *content {
	if c, ok := v.files[name]; ok {
		return c
	}
	info, err := v.FS.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return &content{origin: name}
	}
	return &content{origin: name, size: info.Size(), mode: info.Mode()}
}

// original opens a file of the folder under its present name.
func (v *view) original(name string) (vfs.File, error) {
	if to, ok := v.moved[name]; ok {
		name = to
	}
	f, err := v.FS.Open(name)
	return f, vfs.TooManyFiles(err)
}

// source opens a content.
func (v *view) source(c *content) (integrity.Source, error) {
	if c.open != nil {
		return c.open()
	}
	return v.original(c.origin)
}

// Open opens a file as it will be.
func (v *view) Open(name string) (vfs.File, error) {
	c := v.of(name)
	switch {
	case c == nil:
		return nil, &fs.PathError{Op: "open", Path: v.Path(name), Err: fs.ErrNotExist}
	case c.open == nil:
		return v.original(c.origin)
	}
	src, err := c.open()
	if err != nil {
		return nil, err
	}
	return madeFile{src, c.size}, nil
}

// Stat describes a file as it will be.
func (v *view) Stat(name string) (fs.FileInfo, error) {
	if c, ok := v.files[name]; ok {
		if c == nil {
			return nil, &fs.PathError{Op: "stat", Path: v.Path(name), Err: fs.ErrNotExist}
		}
		return madeInfo{name, c}, nil
	}
	return v.FS.Stat(name)
}

// ReadDir lists a folder as it will be.
func (v *view) ReadDir(name string) ([]fs.DirEntry, error) {
	list, err := v.FS.ReadDir(name)
	if err != nil || name != "." {
		return list, err
	}
	list = slices.DeleteFunc(slices.Clone(list), func(d fs.DirEntry) bool { _, ok := v.files[d.Name()]; return ok })
	for name, c := range v.files {
		if c != nil {
			list = append(list, fs.FileInfoToDirEntry(madeInfo{name, c}))
		}
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	return list, nil
}

// madeInfo describes a file of a view.
type madeInfo struct {
	name string
	*content
}

func (i madeInfo) Name() string       { return i.name }
func (i madeInfo) Size() int64        { return i.size }
func (i madeInfo) Mode() fs.FileMode  { return i.mode }
func (i madeInfo) ModTime() time.Time { return time.Time{} }
func (i madeInfo) IsDir() bool        { return false }
func (i madeInfo) Sys() any           { return nil }

// madeFile is a file of a view that the folder does not have.
type madeFile struct {
	integrity.Source
	size int64
}

var errView = errors.New("a plan writes nothing")

func (f madeFile) Size() (int64, error) { return f.size, nil }

// Identity is unknown: the file is made anew, so no log was closed in it.
func (f madeFile) Identity() (vfs.Identity, error)         { return vfs.Identity{}, nil }
func (f madeFile) Map(int64) ([]byte, func() error, error) { return nil, nil, vfs.ErrUnsupported }
func (f madeFile) WriteAt([]byte, int64) (int, error)      { return 0, errView }
func (f madeFile) Sync() error                             { return errView }
func (f madeFile) Reserve(int64) error                     { return errView }
func (f madeFile) Release() error                          { return errView }
func (f madeFile) Chmod(fs.FileMode) error                 { return errView }
func (f madeFile) WriteBack(int64, int64)                  {}

// joined is the first cut bytes of one source, followed by the bytes of another from that offset on.
type joined struct {
	first, rest integrity.Source
	cut         int64
}

// ReadAt implements io.ReaderAt.
func (j *joined) ReadAt(b []byte, off int64) (int, error) {
	if off >= j.cut {
		return j.rest.ReadAt(b, off)
	}
	n := int(min(int64(len(b)), j.cut-off))
	m, err := j.first.ReadAt(b[:n], off)
	if m < n || n == len(b) {
		if m == n && err == io.EOF {
			err = nil
		}
		return m, err
	}
	m, err = j.rest.ReadAt(b[n:], j.cut)
	return n + m, err
}

// Close closes both.
func (j *joined) Close() error { return errors.Join(j.first.Close(), j.rest.Close()) }
