package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/varve-db/varve/cmd/varve/internal/units"
	"github.com/varve-db/varve/segment"
	"github.com/varve-db/varve/store"
)

// topKey is the key of the directory that is imported.
const topKey = "./"

// errChanged says that a file changed each time it was read.
var errChanged = errors.New("changes while it is read")

// visit stores one entry of the tree. What is wrong with it alone is told, and the
// walk goes on.
func (im *importer) visit(path string, d fs.DirEntry, err error) error {
	if im.ctx.Err() != nil {
		return context.Cause(im.ctx)
	}
	if err == nil {
		err = im.entry(path, d)
	}
	switch {
	case err == nil || err == filepath.SkipDir:
		return err
	case errors.Is(err, fs.ErrNotExist) && path != im.top:
		im.LeftOut++
		im.warn("%s: is gone meanwhile; left out", path)
		return nil
	case isApply(err) || errors.Is(err, syscall.EPIPE):
		return err
	}
	im.Failed++
	im.warn("%w", naming(path, err))
	return nil
}

func isApply(err error) bool {
	_, ok := errors.AsType[*applyError](err)
	return ok
}

// naming puts the path into an error that lacks it.
func naming(path string, err error) error {
	if strings.Contains(err.Error(), path) {
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}

// entry stores one entry of the tree by its type.
func (im *importer) entry(path string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	key, err := im.keyOf(path)
	if err != nil {
		return err
	}
	switch info.Mode().Type() {
	case fs.ModeDir:
		if os.SameFile(info, im.self) {
			im.LeftOut++
			im.warn("%s: is the store itself; left out", path)
			return filepath.SkipDir
		}
		im.Directories++
		return im.store(key+"/", nil, info, "")
	case fs.ModeSymlink:
		link, err := os.Readlink(path)
		if err != nil {
			return err
		}
		im.Links++
		return im.store(key, nil, info, link)
	case 0:
		content, info, err := im.read(path)
		if err != nil {
			return err
		}
		im.Files++
		im.bar.Add(int64(len(content)))
		return im.store(key, content, info, "")
	}
	im.LeftOut++
	im.warn("%s: is a %s; left out", path, kindName(info.Mode()))
	return nil
}

// keyOf returns the key of a file or link of the tree, or the key of a directory without its
// slash.
func (t *tree) keyOf(path string) (string, error) {
	switch {
	case t.file != "":
		return t.file, nil
	case path == t.top:
		return strings.TrimSuffix(topKey, "/"), nil
	}
	return filepath.Rel(t.top, path)
}

func kindName(m fs.FileMode) string {
	switch {
	case m&fs.ModeSocket != 0:
		return "socket"
	case m&fs.ModeNamedPipe != 0:
		return "named pipe"
	case m&fs.ModeDevice != 0:
		return "device"
	}
	return "file of a kind that is not kept"
}

// store adds an object, unless the store has the same.
func (im *importer) store(key string, content []byte, info fs.FileInfo, link string) error {
	a, err := attrsOf(info)
	if err != nil {
		return err
	}
	a.link = link
	meta, err := a.encode()
	if err != nil {
		return err
	}
	o := store.Object{Key: []byte(key), Value: content, Meta: meta}
	same := false
	err = im.db.Read(o.Key, func(old store.Object) error {
		same = old.Content == o.Content && bytes.Equal(old.Value, o.Value) && bytes.Equal(old.Meta, o.Meta)
		return nil
	})
	if err != nil && err != store.ErrNotFound {
		im.warn("%w; written anew", err)
	}
	if same {
		im.Same++
		return nil
	}
	return im.add(o)
}

// read returns a file's content as it was at one moment, with its attributes then:
// it reads again, a few times, what changes meanwhile.
func (im *importer) read(path string) ([]byte, fs.FileInfo, error) {
	for range 3 {
		info, err := im.readOnce(path)
		if err != errChanged {
			return im.buf, info, err
		}
	}
	return nil, nil, errChanged
}

func (im *importer) readOnce(path string) (fs.FileInfo, error) {
	// Neither follow a link nor wait for a pipe that has taken the file's place.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !before.Mode().IsRegular() {
		return nil, errChanged
	}
	if before.Size() > segment.MaxValue {
		return nil, fmt.Errorf("%s has %s, and an object at most 1 GiB: %w", path, units.Human(before.Size()), store.ErrTooLarge)
	}
	n := before.Size()
	if int64(cap(im.buf)) <= n {
		im.buf = make([]byte, n+1)
	}
	got, err := io.ReadFull(f, im.buf[:n+1]) // one more, to see that it ends
	im.buf = im.buf[:got]
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	after, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if int64(got) != n || after.Size() != n || !after.ModTime().Equal(before.ModTime()) {
		return nil, errChanged
	}
	return after, nil
}
