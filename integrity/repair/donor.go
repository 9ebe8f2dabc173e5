package repair

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/segment"
)

// A Donor has segments from which a store can be healed: another copy of it, or
// an archive. What it gives is proven before it is used. Its methods are called
// by one goroutine.
type Donor interface {
	// String says where the segments are, for people.
	String() string

	// Stores returns the stores whose segments the donor has.
	Stores(ctx context.Context) ([]segment.UUID, error)

	// Segments returns the segments of a store that the donor has, in order of
	// Ref.Compare.
	Segments(ctx context.Context, store segment.UUID) ([]segment.Ref, error)

	// Segment opens the file of a segment, for the caller to close. The error is
	// fs.ErrNotExist where the donor does not have it.
	Segment(ctx context.Context, store segment.UUID, ref segment.Ref) (src integrity.Source, size int64, err error)
}

// donorDepth is how far below its root a folder is looked through: an archive has
// its segments in a folder for the store and one for the timeline.
const donorDepth = 2

// FolderDonor is the Donor over a folder that holds segment files, of any name that
// ends with .seg or .open, in it or in its folders: a copy of the store, or an
// archive. The name is for people. The folder is read when it is first asked.
func FolderDonor(fsys fs.FS, name string) Donor { return &folderDonor{fs: fsys, name: name} }

type folderDonor struct {
	fs     fs.FS
	name   string
	listed bool
	err    error
	files  []donorFile // in order of Ref.Compare; of one segment, the sealed file
}

type donorFile struct {
	name   string
	header *segment.Head
	size   int64
}

func (d *folderDonor) String() string { return d.name }

func (d *folderDonor) Stores(ctx context.Context) (list []segment.UUID, err error) {
	err = d.list(ctx)
	known := map[segment.UUID]bool{}
	for _, f := range d.files {
		if u := f.header.UUID; !known[u] {
			known[u] = true
			list = append(list, u)
		}
	}
	return list, err
}

func (d *folderDonor) Segments(ctx context.Context, store segment.UUID) (list []segment.Ref, err error) {
	err = d.list(ctx)
	for _, f := range d.files {
		if f.header.UUID == store {
			list = append(list, f.header.Ref)
		}
	}
	return list, err
}

func (d *folderDonor) Segment(ctx context.Context, store segment.UUID, ref segment.Ref) (integrity.Source, int64, error) {
	if err := d.list(ctx); err != nil {
		return nil, 0, err
	}
	i, _ := slices.BinarySearchFunc(d.files, ref, func(f donorFile, ref segment.Ref) int { return f.header.Ref.Compare(ref) })
	for ; i < len(d.files) && d.files[i].header.Ref == ref; i++ { // one of each store
		if d.files[i].header.UUID == store {
			return d.open(d.files[i].name)
		}
	}
	return nil, 0, &fs.PathError{Op: "open", Path: path.Join(d.name, ref.String()), Err: fs.ErrNotExist}
}

// list reads the headers of all files that may be segments. A file that is none,
// or cannot be read, is passed over.
func (d *folderDonor) list(ctx context.Context) error {
	if d.listed {
		return d.err
	}
	d.listed = true
	d.err = fs.WalkDir(d.fs, ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && name == ".":
			return fmt.Errorf("%s: %w", d.name, err)
		case err != nil:
			return nil
		case e.IsDir():
			if e.Name() == integrity.QuarantineName || strings.Count(name, "/") >= donorDepth {
				return fs.SkipDir
			}
			return nil
		}
		if ext := path.Ext(name); e.Type().IsRegular() && (ext == segment.SealedExt || ext == segment.OpenExt) {
			d.add(name)
		}
		return nil
	})
	slices.SortStableFunc(d.files, func(a, b donorFile) int {
		return cmp.Or(a.header.Ref.Compare(b.header.Ref), bytes.Compare(a.header.UUID[:], b.header.UUID[:]),
			cmp.Compare(path.Ext(b.name), path.Ext(a.name)), // .seg before .open
			cmp.Compare(b.size, a.size))
	})
	d.files = slices.CompactFunc(d.files, func(a, b donorFile) bool {
		return a.header.UUID == b.header.UUID && a.header.Ref == b.header.Ref
	})
	return d.err
}

func (d *folderDonor) add(name string) {
	src, size, err := d.open(name)
	if err != nil {
		return
	}
	defer src.Close()
	if r, err := segment.NewReader(src, size); err == nil {
		head := r.Header.Head
		d.files = append(d.files, donorFile{name, &head, size})
	}
}

func (d *folderDonor) open(name string) (integrity.Source, int64, error) {
	f, err := d.fs.Open(name)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	at, ok := f.(io.ReaderAt)
	if err == nil && (!ok || !info.Mode().IsRegular()) {
		err = fmt.Errorf("%s: cannot be read at an offset", path.Join(d.name, name))
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return openedFile{at, f}, info.Size(), nil
}

// openedFile is a Source of a reader and a closer.
type openedFile struct {
	io.ReaderAt
	io.Closer
}
