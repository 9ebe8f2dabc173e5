package integrity

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// Entry is one segment file as it was found. Files go by their headers, not by
// their names; a name matters only where there is no header.
type Entry struct {
	Name   string
	ID     segment.ID // by the name
	Sealed bool       // by the name
	Size   int64
	Err    error // why there is no header that is sound

	// Header is nil where none is sound. The sets of a log's header are not kept: the sets
	// of all logs would take more memory than all else. WholeHeader reads them again.
	Header     *segment.Head
	HeaderSize int64

	bare *segment.Header // Header is a part of it; it has no sets. Nil: Header is no part of anything
	d    fs.DirEntry     // as it was listed
}

// reader returns a Reader of the entry's file, which has all of the header but its sets.
func (e *Entry) reader(src io.ReaderAt) *segment.Reader {
	h := e.bare
	if h == nil || &h.Head != e.Header {
		h = &segment.Header{Head: *e.Header}
	}
	return segment.ReaderOf(h, e.HeaderSize, src, e.Size)
}

// WholeHeader reads the header of an entry again, with its sets, from the entry's file.
func (e *Entry) WholeHeader(src io.ReaderAt) (*segment.Header, error) {
	r, err := segment.NewReader(src, e.Size)
	if err != nil {
		return nil, err
	}
	if r.Header.Head != *e.Header {
		return nil, fmt.Errorf("the header is that of %v; it was that of %v a moment ago", r.Header.Ref, e.Header.Ref)
	}
	return r.Header, nil
}

// readEntries fills in the entries, a few at a time: opening thousands of files
// is mostly waiting. An error means that the process may open no more files, which says
// nothing about the store.
func readEntries(fsys vfs.FS, found []*Entry) error {
	const workers = 8
	var wg sync.WaitGroup
	for w := range min(workers, len(found)) {
		wg.Go(func() {
			for i := w; i < len(found); i += workers {
				found[i].read(fsys)
			}
		})
	}
	wg.Wait()
	for _, e := range found {
		if vfs.IsTooManyFiles(e.Err) { // the other workers may have used them up
			e.Err = nil
			e.read(fsys)
		}
		if vfs.IsTooManyFiles(e.Err) {
			return e.Err
		}
	}
	return nil
}

// ReadEntry reads the header of one file, whatever its name is.
func ReadEntry(fsys vfs.FS, name string) *Entry {
	e := &Entry{Name: name}
	e.read(fsys)
	return e
}

func (e *Entry) read(fsys vfs.FS) {
	f, err := fsys.Open(e.Name)
	if errors.Is(err, fs.ErrNotExist) && e.renamed(fsys) {
		f, err = fsys.Open(e.Name)
	}
	if err != nil {
		e.Err = vfs.TooManyFiles(err)
		return
	}
	defer f.Close()
	if e.Size, e.Err = f.Size(); e.Err != nil || e.Size == 0 {
		return
	}
	r, err := segment.NewReader(f, e.Size)
	if err != nil {
		e.Err = err
		return
	}
	e.bare = &segment.Header{Head: r.Header.Head} // and not its sets
	e.Header, e.HeaderSize = &e.bare.Head, r.HeaderSize
}

// Mode returns the mode of the entry's file, zero where it cannot be had.
func (e *Entry) Mode(fsys interface {
	Stat(name string) (fs.FileInfo, error)
}) fs.FileMode {
	info, err := fsys.Stat(e.Name)
	if err != nil {
		return 0
	}
	return info.Mode()
}

// renamed reports whether a log that is gone was sealed since the folder was listed,
// and gives the entry the name and size that the file has now.
func (e *Entry) renamed(fsys vfs.FS) bool {
	if e.Sealed {
		return false
	}
	name := segment.FileName(e.ID, segment.SealedExt)
	info, err := fsys.Stat(name)
	if err != nil {
		return false
	}
	e.Name, e.Sealed, e.Size = name, true, info.Size()
	return true
}

// Fits reports whether the file has the name of its segment.
func (e *Entry) Fits() bool { return e.ID == e.Header.Ref.ID }

// Misnamed reports whether a log has the name of another log. A torn first write may uncover
// the header of a freed file, so such a header does not prove what the file is.
func (e *Entry) Misnamed() bool { return !e.Sealed && !e.Fits() }

// Open opens the file of an entry. A sealed file, which keeps its name, is opened by way of h, so
// that few are open at once.
func (e *Entry) Open(fsys vfs.FS, h *vfs.Handles) (Source, error) {
	if e.Sealed {
		return h.Open(e.Name)
	}
	f, err := fsys.Open(e.Name)
	return f, vfs.TooManyFiles(err)
}
