package dir

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/statefile"
	"github.com/varve-db/varve/internal/vfs"
)

const (
	objectMode = 0o400     // nobody writes to an object any more
	copyBuffer = 256 << 10 // stays in the processor's cache between reading, writing and hashing
)

// Options are the options of Open.
type Options struct {
	// Make makes the folder where it is absent. It is for making an archive, and for nothing
	// else: if a disk is not mounted, it would make the folder below. Default: false.
	Make bool
}

// Dir is a target in a folder: each object a file, each slash a folder. It needs of the file
// system what POSIX promises, over NFS too: of several links to one name one succeeds, and
// synced bytes survive a power cut.
//
// Folders are never removed, since another process may be about to put something there. Files in
// the folder whose names are not those of objects are left alone.
type Dir struct {
	fsys vfs.FS
	url  string

	folders *statefile.FolderSync

	mu      sync.Mutex      // guards durable, and is held while folders are made
	durable map[string]bool // folders whose names are durable, with those above
}

var (
	_ target.Local         = (*Dir)(nil)
	_ target.CheckedPutter = (*Dir)(nil)
)

// Open opens the folder at path as a target. Options may be nil. A folder
// that is absent is target.ErrNotExist, and not an empty target: its disk may not be mounted.
func Open(path string, o *Options) (*Dir, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	d := OpenFS(vfs.Root(abs), (&url.URL{Scheme: "file", Path: filepath.ToSlash(abs)}).String())
	if o != nil && o.Make {
		if err := d.fsys.Mkdir("."); err != nil {
			return nil, d.fail("make", ".", err)
		}
	}
	info, err := os.Stat(abs)
	if err == nil && !info.IsDir() {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return nil, d.fail("open", ".", err)
	}
	return d, nil
}

// OpenFS is the target in fsys.
func OpenFS(fsys vfs.FS, url string) *Dir {
	return &Dir{fsys: fsys, url: url, folders: statefile.NewFolderSync(fsys), durable: map[string]bool{}}
}

// URL returns file:// and the absolute path.
func (d *Dir) URL() string { return d.url }

// Put implements target.Target. The bytes go to a temporary file in the object's
// folder first, and are synced there; the link makes them visible.
func (d *Dir) Put(ctx context.Context, name string, r io.ReaderAt, size int64, sum [32]byte) error {
	h := sha256.New()
	return d.PutChecked(ctx, name, r, size, h, has(sum, h))
}

// Local implements target.Local.
func (d *Dir) Local() bool { return true }

// PutChecked implements target.CheckedPutter.
func (d *Dir) PutChecked(ctx context.Context, name string, r io.ReaderAt, size int64, sums io.Writer, check func(io.ReaderAt) error) error {
	err := target.CheckName(name)
	if err == nil {
		if _, serr := d.fsys.Stat(name); serr == nil { // the link would say so too, after all the copying
			err = target.ErrExists
		}
	}
	if err == nil {
		err = d.put(ctx, name, r, size, sums, check)
	}
	return d.fail("put", name, err)
}

// has returns a check that what was written to h has a SHA-256.
func has(sum [32]byte, h hash.Hash) func(io.ReaderAt) error {
	return func(io.ReaderAt) error {
		if got := [32]byte(h.Sum(nil)); got != sum {
			return fmt.Errorf("what is to be stored has SHA-256 %x and not %x: it changed since it was verified; try again", got, sum)
		}
		return nil
	}
}

func (d *Dir) put(ctx context.Context, name string, r io.ReaderAt, size int64, sums io.Writer, check func(io.ReaderAt) error) error {
	dir := path.Dir(name)
	if err := d.makeDurable(dir, true); err != nil {
		return err
	}
	temp := path.Join(dir, statefile.NewTemp())
	err := d.write(ctx, temp, r, size, sums, check)
	if err == nil {
		err = d.link(temp, name)
	}
	if _, serr := d.fsys.Stat("."); serr == nil && errors.Is(err, fs.ErrNotExist) {
		// The folder is not made again at once: the caller first checks that this is still the
		// archive, and not the empty folder below its disk.
		d.forget(dir)
		err = fmt.Errorf("%w; its folder vanished: is the disk mounted", err)
	}
	// A copy that failed is removed: after a failed sync it is unknown what is on the disk, even
	// if a second sync succeeds.
	if err = errors.Join(err, vfs.IgnoreAbsent(d.fsys.Remove(temp))); err != nil {
		return err
	}
	return d.folders.Sync(dir) // makes the object's name durable
}

// write makes a file with the bytes of r, durable but for its name.
func (d *Dir) write(ctx context.Context, name string, r io.ReaderAt, size int64, sums io.Writer, check func(io.ReaderAt) error) error {
	f, err := d.fsys.Create(name)
	if err != nil {
		return err
	}
	if err = copyAll(ctx, f, r, size, sums); err == nil {
		err = check(f)
	}
	if err == nil {
		err = f.Chmod(objectMode)
	}
	if err == nil {
		err = f.Sync() // makes the bytes durable, before they can be seen
	}
	return errors.Join(err, f.Close())
}

// copyAll copies size bytes, and hashes what it writes.
func copyAll(ctx context.Context, f vfs.File, r io.ReaderAt, size int64, sums io.Writer) error {
	buf := make([]byte, min(size, copyBuffer))
	for off := int64(0); off < size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		p := buf[:min(size-off, int64(len(buf)))]
		if n, err := r.ReadAt(p, off); n < len(p) {
			return fmt.Errorf("read what is to be stored, at offset %d of %d: %w", off+int64(n), size, err)
		}
		if _, err := f.WriteAt(p, off); err != nil {
			return err
		}
		f.WriteBack(off, int64(len(p)))
		sums.Write(p)
		off += int64(len(p))
	}
	return ctx.Err()
}

// link gives a file the name of an object, if that is free.
func (d *Dir) link(temp, name string) error {
	err := d.fsys.Link(temp, name)
	switch {
	case errors.Is(err, fs.ErrExist):
		if d.sameFile(temp, name) {
			return nil // over NFS: the answer was lost, and the link made twice
		}
		return target.ErrExists
	case errors.Is(err, vfs.ErrUnsupported):
		return fmt.Errorf("%w: %w; use another file system, or S3", target.ErrUnconditional, err)
	}
	return err
}

// sameFile reports whether two names are of one file.
func (d *Dir) sameFile(a, b string) bool {
	x, err1 := d.identity(a)
	y, err2 := d.identity(b)
	return err1 == nil && err2 == nil && x == y
}

func (d *Dir) identity(name string) (vfs.Identity, error) {
	f, err := d.fsys.Open(name)
	if err != nil {
		return vfs.Identity{}, err
	}
	id, err := f.Identity()
	return id, errors.Join(err, f.Close())
}

// makeDurable makes the names of a folder and of those above it durable, and the folders too if
// create. Their maker may have been killed before the sync, so only a sync by this process
// counts.
func (d *Dir) makeDurable(dir string, create bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.makeDurableLocked(dir, create)
}

func (d *Dir) makeDurableLocked(dir string, create bool) error {
	if d.durable[dir] {
		return nil
	}
	if dir == "." { // the archive's own folder, which is never made here
		err := d.fsys.SyncOwnName()
		d.durable[dir] = err == nil
		return err
	}
	parent := path.Dir(dir)
	err := d.makeDurableLocked(parent, create)
	if err == nil && create {
		err = d.fsys.Mkdir(dir)
	}
	if err == nil {
		err = d.fsys.SyncDir(parent)
	}
	d.durable[dir] = err == nil
	return err
}

// forget forgets what makeDurable knows of a folder and of those above.
func (d *Dir) forget(dir string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for ; dir != "."; dir = path.Dir(dir) {
		delete(d.durable, dir)
	}
	delete(d.durable, ".")
}

// Delete implements target.Target.
func (d *Dir) Delete(ctx context.Context, name string) error {
	return d.fail("delete", name, d.remove(ctx, name))
}

func (d *Dir) remove(ctx context.Context, name string) error {
	if err := errors.Join(ctx.Err(), target.CheckName(name)); err != nil {
		return err
	}
	info, err := d.fsys.Stat(name)
	if err == nil && !info.IsDir() {
		err = d.fsys.Remove(name)
	}
	if err != nil && !vfs.IsAbsent(err) {
		return err
	}
	// Also if it was not there: its remover may have been killed before this.
	err = d.fsys.SyncDir(path.Dir(name))
	if vfs.IsAbsent(err) {
		_, err = d.fsys.Stat(".") // nothing to sync; but the archive must be there
	}
	return err
}

// fail gives an error its kind, the object's path and the next step.
func (d *Dir) fail(op, name string, err error) error {
	if err == nil {
		return nil
	}
	at := op + " " + d.fsys.Path(name)
	switch {
	case errors.Is(err, target.ErrExists), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", at, err)
	case vfs.IsDiskFull(err):
		return fmt.Errorf("%s: %w: %w; %s", at, target.ErrFull, err, target.MakeRoom)
	case vfs.IsDenied(err):
		return fmt.Errorf("%s: %w: %w; user %d needs the right to read and write below %s, on a file system that is mounted for writing",
			at, target.ErrDenied, err, os.Getuid(), d.fsys.Path("."))
	case vfs.IsAbsent(err):
		if _, serr := d.fsys.Stat("."); vfs.IsAbsent(serr) {
			return fmt.Errorf("%s: %w: the folder of the archive is not there; mount its disk", at, target.ErrNotExist)
		}
		if op != "put" {
			err = target.ErrNotExist
		}
	}
	return fmt.Errorf("%s: %w", at, vfs.TooManyFiles(err))
}
