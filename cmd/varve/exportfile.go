package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/varve-db/varve/internal/jsonpack"
	"github.com/varve-db/varve/store"
)

// dirAttrs is what a directory gets once all is in it.
type dirAttrs struct {
	name string
	attrs
}

// depth says how far below DEST the directory lies.
func (d *dirAttrs) depth() int {
	if d.name == "." {
		return 0
	}
	return 1 + strings.Count(d.name, "/")
}

// errNoFile is wrapped by the error of an object that the file system does not take.
var errNoFile = errors.New("cannot be a file there")

// object writes one object, whose key plan has let pass.
func (e *exporter) object(o *store.Object) error {
	err := e.make(o)
	for _, refusal := range []error{syscall.ENAMETOOLONG, syscall.EEXIST, syscall.ENOTDIR, syscall.EISDIR, syscall.EILSEQ, syscall.EINVAL, errLink} {
		if errors.Is(err, refusal) {
			return usagef("%w: %w", errNoFile, err)
		}
	}
	return destError(err)
}

// errLink says that a symbolic link cannot lead where its object says.
var errLink = errors.New("a symbolic link to what no path can be")

// make writes the file, directory or link of an object, and counts it.
func (e *exporter) make(o *store.Object) error {
	a, ok := parseAttrs(o.Meta)
	name := string(o.Key)
	if dir, isDir := strings.CutSuffix(name, "/"); isDir {
		if err := e.root.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		e.Directories++
		e.dirs = append(e.dirs, dirAttrs{dir, a})
		return nil
	}
	if err := e.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	if ok && a.mode&fs.ModeSymlink != 0 {
		if a.link == "" || strings.Contains(a.link, "\x00") {
			return fmt.Errorf("%w: %q", errLink, jsonpack.Shorten(a.link))
		}
		if err := e.root.Symlink(a.link, name); err != nil {
			return err
		}
		e.Links++
		return e.linkTime(name, a.mtime)
	}
	if !ok || !a.mode.IsRegular() {
		a = attrs{mode: 0o644, mtime: time.Now().UnixNano()}
	}
	if err := e.file(name, o.Value, &a); err != nil {
		return err
	}
	e.Files++
	e.Bytes += int64(len(o.Value))
	return nil
}

// file writes a plain file, which must not be there. The mode comes after the
// content, because a write takes setuid away; the time comes last.
func (e *exporter) file(name string, content []byte, a *attrs) error {
	f, err := e.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Chmod(a.mode)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	t := time.Unix(0, a.mtime)
	return e.root.Chtimes(name, t, t)
}

// linkTime sets the modification time of a symbolic link, not of what it names.
func (e *exporter) linkTime(name string, mtime int64) error {
	dir, err := e.root.Open(path.Dir(name))
	if err != nil {
		return err
	}
	t := unix.NsecToTimespec(mtime)
	err = unix.UtimesNanoAt(int(dir.Fd()), path.Base(name), []unix.Timespec{t, t}, unix.AT_SYMLINK_NOFOLLOW)
	return errors.Join(err, dir.Close())
}

// finishDirs sets times and modes of directories, the inner ones first: what is
// made in a directory changes its time, and may need a mode that it will not keep.
func (e *exporter) finishDirs() error {
	slices.SortFunc(e.dirs, func(a, b dirAttrs) int { return b.depth() - a.depth() })
	for _, d := range e.dirs {
		t := time.Unix(0, d.mtime)
		if err := e.root.Chtimes(d.name, t, t); err != nil {
			return err
		}
		if err := e.root.Chmod(d.name, d.mode&^fs.ModeDir); err != nil {
			return err
		}
	}
	return nil
}
