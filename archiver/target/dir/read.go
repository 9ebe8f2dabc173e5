package dir

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/statefile"
	"github.com/varve-db/varve/internal/vfs"
)

// Stat implements target.Target.
func (d *Dir) Stat(ctx context.Context, name string) (target.Info, error) {
	info, err := d.stat(ctx, name)
	return info, d.fail("stat", name, err)
}

func (d *Dir) stat(ctx context.Context, name string) (target.Info, error) {
	if err := errors.Join(ctx.Err(), target.CheckName(name)); err != nil {
		return target.Info{}, err
	}
	info, err := d.fsys.Stat(name)
	switch {
	case err != nil:
		return target.Info{}, err
	case info.IsDir():
		return target.Info{}, fs.ErrNotExist // a folder is no object
	case !info.Mode().IsRegular():
		return target.Info{}, vfs.ErrNotRegular
	}
	return target.Info{Name: name, Size: info.Size(), Modified: info.ModTime()}, nil
}

// Sum implements target.Target. It also makes the object durable, so that a receipt may follow:
// the process that put it may have been killed before it did.
func (d *Dir) Sum(ctx context.Context, name string) (target.Info, error) {
	info, err := d.stat(ctx, name)
	if err == nil {
		err = d.sum(ctx, &info)
	}
	if err == nil {
		err = d.makeDurable(path.Dir(name), false)
	}
	if err == nil {
		err = d.folders.Sync(path.Dir(name))
	}
	if err != nil {
		return target.Info{}, d.fail("read", name, err)
	}
	return info, nil
}

// sum reads the object and sets its size and SHA-256.
func (d *Dir) sum(ctx context.Context, info *target.Info) error {
	f, err := d.fsys.Open(info.Name)
	if err != nil {
		return err
	}
	hash := sha256.New()
	info.Size, err = io.CopyBuffer(hash, withContext{ctx, section(f, 0, -1)}, make([]byte, copyBuffer))
	info.SHA256 = [32]byte(hash.Sum(nil))
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Open implements target.Target.
func (d *Dir) Open(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	f, err := d.open(ctx, name, off)
	if err != nil {
		return nil, d.fail("open", name, err)
	}
	return dirObject{withContext{ctx, section(f, off, n)}, f}, nil
}

func (d *Dir) open(ctx context.Context, name string, off int64) (vfs.File, error) {
	if off < 0 {
		return nil, fmt.Errorf("offset %d: %w", off, fs.ErrInvalid)
	}
	if _, err := d.stat(ctx, name); err != nil {
		return nil, err
	}
	return d.fsys.Open(name)
}

// dirObject is an open object.
type dirObject struct {
	io.Reader
	io.Closer
}

// withContext is a reader that ends with its context.
type withContext struct {
	ctx context.Context
	r   io.Reader
}

func (r withContext) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// List implements target.Target. It goes into those folders only that can hold what is
// asked for.
func (d *Dir) List(ctx context.Context, prefix, after string) iter.Seq2[target.Info, error] {
	return func(yield func(target.Info, error) bool) {
		l := lister{d, ctx, prefix, after, yield}
		_, err := d.fsys.Stat(".") // a disk that is not mounted is not an empty archive
		if err == nil {
			_, err = l.walk(".")
		}
		if err != nil {
			yield(target.Info{}, d.fail("list", ".", err))
		}
	}
}

// Top implements target.Topped: all that is in the folder counts, except lost+found in the root
// of a volume and temporary files of a killed writer.
func (d *Dir) Top(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		list, err := d.fsys.ReadDir(".")
		if err = errors.Join(ctx.Err(), err); err != nil {
			yield("", d.fail("list", ".", err))
			return
		}
		for _, e := range vfs.Content(list) {
			if !strings.HasPrefix(e.Name(), statefile.TempPrefix) && !yield(e.Name(), nil) {
				return
			}
		}
	}
}

// lister is a List at work.
type lister struct {
	d             *Dir
	ctx           context.Context
	prefix, after string
	yield         func(target.Info, error) bool
}

// walk lists a folder and those below it. It returns false when no more is asked for.
func (l *lister) walk(dir string) (bool, error) {
	if err := l.ctx.Err(); err != nil {
		return false, err
	}
	list, err := l.d.fsys.ReadDir(dir)
	if err != nil {
		return true, vfs.IgnoreAbsent(err)
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return cmp.Compare(sortName(a), sortName(b)) })
	for _, e := range list {
		name := path.Join(dir, e.Name())
		more := true
		switch {
		case !target.ValidPart(e.Name()):
		case e.IsDir() && l.enters(name+"/"):
			more, err = l.walk(name)
		case e.Type().IsRegular() && strings.HasPrefix(name, l.prefix) && name > l.after:
			more, err = l.file(name, e)
		}
		if err != nil || !more {
			return more, err
		}
	}
	return true, nil
}

// sortName is an entry's name as it stands in the names of objects: a slash
// follows a folder's, and sorts behind '-' and '.'.
func sortName(e fs.DirEntry) string {
	if e.IsDir() {
		return e.Name() + "/"
	}
	return e.Name()
}

// enters reports whether a folder, with its slash, can hold what is asked for.
func (l *lister) enters(dir string) bool {
	wanted := strings.HasPrefix(dir, l.prefix) || strings.HasPrefix(l.prefix, dir)
	return wanted && (dir > l.after || strings.HasPrefix(l.after, dir))
}

// file yields an object. One that was deleted since the folder was read is
// left out.
func (l *lister) file(name string, e fs.DirEntry) (bool, error) {
	info, err := e.Info()
	if err != nil {
		return true, vfs.IgnoreAbsent(err)
	}
	return l.yield(target.Info{Name: name, Size: info.Size(), Modified: info.ModTime()}, nil), nil
}

// section is the bytes from off on, n of them or all.
func section(f io.ReaderAt, off, n int64) *io.SectionReader {
	if n < 0 || n > math.MaxInt64-off {
		n = math.MaxInt64 - off
	}
	return io.NewSectionReader(f, off, n)
}
