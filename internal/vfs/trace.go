package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// Trace returns fsys with every call that changes something reported, when it
// has returned, as a line: "create 43.open", "write 43.open 0+4096",
// "sync 43.open", "rename 42.open 42.seg", "link a b", "syncdir .". A call that failed has
// ": " and the reason after it. A file goes by the name that it was opened
// under. Reads, and the hint WriteBack, are not reported. The calls of op do
// not overlap.
func Trace(fsys FS, op func(line string)) FS {
	return &traceFS{FS: fsys, op: op}
}

type traceFS struct {
	FS
	mu sync.Mutex // guards the calls of op
	op func(string)
}

// report gives the line to op, and returns err for the caller to return.
func (t *traceFS) report(err error, format string, args ...any) error {
	line := fmt.Sprintf(format, args...)
	if err != nil {
		line += ": " + reason(err).Error()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.op(line)
	return err
}

// reason takes the path off an error, which would differ between runs.
func reason(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	if le, ok := errors.AsType[*os.LinkError](err); ok {
		return le.Err
	}
	return err
}

func (t *traceFS) Open(name string) (File, error) {
	f, err := t.FS.Open(name)
	return t.file(f, name, err)
}

func (t *traceFS) OpenWrite(name string) (File, error) {
	f, err := t.FS.OpenWrite(name)
	return t.file(f, name, err)
}

func (t *traceFS) Create(name string) (File, error) {
	f, err := t.FS.Create(name)
	return t.file(f, name, t.report(err, "create %s", name))
}

func (t *traceFS) file(f File, name string, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return &traceFile{File: f, t: t, name: name}, nil
}

func (t *traceFS) Rename(oldname, newname string) error {
	return t.report(t.FS.Rename(oldname, newname), "rename %s %s", oldname, newname)
}

func (t *traceFS) Link(oldname, newname string) error {
	return t.report(t.FS.Link(oldname, newname), "link %s %s", oldname, newname)
}

func (t *traceFS) Remove(name string) error {
	return t.report(t.FS.Remove(name), "remove %s", name)
}

func (t *traceFS) Mkdir(name string) error {
	return t.report(t.FS.Mkdir(name), "mkdir %s", name)
}

func (t *traceFS) SyncDir(name string) error {
	return t.report(t.FS.SyncDir(name), "syncdir %s", name)
}

func (t *traceFS) SyncOwnName() error {
	return t.report(t.FS.SyncOwnName(), "syncdir ..")
}

func (t *traceFS) Lock(name, holder string) (Lock, string, error) {
	c, present, err := t.FS.Lock(name, holder)
	if t.report(err, "lock %s", name) != nil {
		return nil, present, err
	}
	return &traceLock{c, t, name}, present, nil
}

type traceLock struct {
	Lock
	t    *traceFS
	name string
}

func (l *traceLock) WriteAt(p []byte, off int64) (int, error) {
	n, err := l.Lock.WriteAt(p, off)
	return n, l.t.report(err, "write %s %d+%d", l.name, off, len(p))
}

func (l *traceLock) Sync() error {
	return l.t.report(l.Lock.Sync(), "sync %s", l.name)
}

func (l *traceLock) Close() error {
	return l.t.report(l.Lock.Close(), "unlock %s", l.name)
}

type traceFile struct {
	File
	t    *traceFS
	name string
}

func (f *traceFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(p, off)
	return n, f.t.report(err, "write %s %d+%d", f.name, off, len(p))
}

func (f *traceFile) Sync() error {
	return f.t.report(f.File.Sync(), "sync %s", f.name)
}

func (f *traceFile) Reserve(n int64) error {
	return f.t.report(f.File.Reserve(n), "reserve %s %d", f.name, n)
}

func (f *traceFile) Release() error {
	return f.t.report(f.File.Release(), "release %s", f.name)
}

func (f *traceFile) Chmod(mode fs.FileMode) error {
	return f.t.report(f.File.Chmod(mode), "chmod %s %04o", f.name, mode)
}
