package store

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/varve-db/varve/internal/vfs"
)

// noLeaks fails the test if goroutines are left when it and its subtests are done.
func noLeaks(t *testing.T) {
	others := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, others) })
}

// patience is how long a test waits for what must come to pass. Nothing is
// concluded from how long it takes.
const patience = 60 * time.Second

// eventually waits until ok returns true.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("%s: not within %v\n%s", what, patience, stacks())
		}
	}
}

// within runs fn, and fails the test with all stacks if it does not return.
func within(t testing.TB, what string, fn func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s hangs\n%s", what, stacks())
	}
}

func stacks() string {
	b := make([]byte, 1<<20)
	return string(b[:runtime.Stack(b, true)])
}

// counted is a file system that counts its open handles and locks.
type counted struct {
	vfs.FS
	open atomic.Int64
}

func (c *counted) Open(name string) (vfs.File, error)      { return c.file(c.FS.Open(name)) }
func (c *counted) OpenWrite(name string) (vfs.File, error) { return c.file(c.FS.OpenWrite(name)) }
func (c *counted) Create(name string) (vfs.File, error)    { return c.file(c.FS.Create(name)) }

func (c *counted) file(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	c.open.Add(1)
	return &countedFile{File: f, fs: c}, nil
}

func (c *counted) Lock(name, holder string) (vfs.Lock, string, error) {
	l, other, err := c.FS.Lock(name, holder)
	if err != nil {
		return nil, other, err
	}
	c.open.Add(1)
	return &countedLock{Lock: l, fs: c}, other, nil
}

type countedFile struct {
	vfs.File
	fs     *counted
	closed atomic.Bool
}

func (f *countedFile) Close() error {
	if f.closed.CompareAndSwap(false, true) {
		f.fs.open.Add(-1)
	}
	return f.File.Close()
}

type countedLock struct {
	vfs.Lock
	fs     *counted
	closed atomic.Bool
}

func (l *countedLock) Close() error {
	if l.closed.CompareAndSwap(false, true) {
		l.fs.open.Add(-1)
	}
	return l.Lock.Close()
}

// put1 is the change that a Put makes, and del1 that of a Delete.
func put1(key, value string) change1 {
	return change1{key, &Object{Value: []byte(value)}}
}

func del1(key string) change1 { return change1{key, nil} }

// refusedWhole reports whether the error promises that nothing was written.
func refusedWhole(err error) bool {
	full, ok := errors.AsType[*DiskFullError](err)
	return ok && !full.Kept && !errors.Is(err, ErrPoisoned) || errors.Is(err, ErrTooLarge) || errors.Is(err, ErrClosed)
}

// clear1 reports why an error of a file call is not fit for a person to read.
func clear1(err error) error {
	if err == nil || strings.Contains(err.Error(), "/crashfs") {
		return nil
	}
	return fmt.Errorf("the error names no file: %v", err)
}

// value returns n bytes that tell where they belong.
func value(key string, n int) string {
	return strings.Repeat(key+"/", n/(len(key)+1)+1)[:n]
}
