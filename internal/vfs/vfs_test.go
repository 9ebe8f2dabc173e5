//go:build unix

package vfs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write makes a file that holds b.
func write(t *testing.T, fsys FS, name string, b []byte) {
	t.Helper()
	f, err := fsys.Create(name)
	must(t, err)
	_, err = f.WriteAt(b, 0)
	must(t, err)
	must(t, f.Sync())
	must(t, f.Close())
}

func TestNamesAreChecked(t *testing.T) {
	fsys := Dir(t.TempDir())
	for _, name := range []string{"", "..", "../x", "/x", "a/../b", "a//b", "./a"} {
		for op, err := range map[string]error{
			"open":      second(fsys.Open(name)),
			"openwrite": second(fsys.OpenWrite(name)),
			"create":    second(fsys.Create(name)),
			"readdir":   second(fsys.ReadDir(name)),
			"stat":      second(fsys.Stat(name)),
			"locked":    second(fsys.Locked(name)),
			"rename":    fsys.Rename(name, "ok"),
			"rename to": fsys.Rename("ok", name),
			"link":      fsys.Link(name, "ok"),
			"link to":   fsys.Link("ok", name),
			"remove":    fsys.Remove(name),
			"mkdir":     fsys.Mkdir(name),
			"syncdir":   fsys.SyncDir(name),
		} {
			if !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("%s %q: %v", op, name, err)
			}
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestOpensRegularFilesOnly(t *testing.T) {
	dir := t.TempDir()
	fsys := Dir(dir)
	write(t, fsys, "file", []byte("x"))
	must(t, fsys.Mkdir("folder"))
	must(t, os.Symlink("file", filepath.Join(dir, "link")))
	must(t, os.Symlink("nowhere", filepath.Join(dir, "dangling")))
	must(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	for _, name := range []string{"folder", "link", "dangling", "pipe"} {
		for _, err := range []error{second(fsys.Open(name)), second(fsys.OpenWrite(name))} {
			if !errors.Is(err, ErrNotRegular) || !strings.Contains(err.Error(), filepath.Join(dir, name)) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := second(fsys.Create(name)); !errors.Is(err, fs.ErrExist) {
			t.Errorf("create %s: %v", name, err)
		}
	}
	if _, err := fsys.Open("absent"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
}

func TestModes(t *testing.T) {
	fsys := Dir(filepath.Join(t.TempDir(), "store"))
	must(t, fsys.Mkdir("."))
	must(t, fsys.Mkdir("."))
	write(t, fsys, "a", nil)
	if err := fsys.Mkdir("a"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("mkdir over a file: %v", err)
	}
	f, err := fsys.OpenWrite("a")
	must(t, err)
	for name, want := range map[string]fs.FileMode{".": 0o700, "a": 0o600} {
		if info, err := fsys.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	must(t, f.Chmod(0o400))
	if info, err := fsys.Stat("a"); err != nil || info.Mode().Perm() != 0o400 {
		t.Errorf("after Chmod: %v, %v", info.Mode(), err)
	}
	must(t, f.Close())
}

func TestMapOutlivesCloseAndSeesGrowth(t *testing.T) {
	fsys := Dir(t.TempDir())
	f, err := fsys.Create("a")
	must(t, err)
	_, err = f.WriteAt([]byte("one"), 0)
	must(t, err)
	data, unmap, err := f.Map(1 << 20)
	must(t, err)
	_, err = f.WriteAt([]byte("two"), 3)
	must(t, err)
	f.WriteBack(0, 6)
	must(t, f.Close())
	if !bytes.Equal(data[:6], []byte("onetwo")) {
		t.Errorf("map holds %q", data[:6])
	}
	must(t, unmap())
	if err := f.Sync(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("sync after close: %v", err)
	}
}

func TestIdentityStaysWithRenameAndTellsCopies(t *testing.T) {
	fsys := Dir(t.TempDir())
	before := time.Now().Add(-time.Minute).UnixNano()
	identity := func(name string) Identity {
		f, err := fsys.Open(name)
		must(t, err)
		defer f.Close()
		id, err := f.Identity()
		must(t, err)
		return id
	}
	write(t, fsys, "a", []byte("x"))
	write(t, fsys, "copy", []byte("x"))
	a := identity("a")
	if a.Inode == 0 || a.Birth != 0 && a.Birth < before {
		t.Errorf("identity %+v", a)
	}
	if a == identity("copy") {
		t.Error("a copy has the same identity")
	}
	must(t, fsys.Rename("a", "b"))
	if a.Changed == 0 {
		t.Error("no time of the last change")
	}
	if b := identity("b"); a.Inode != b.Inode || a.Birth != b.Birth {
		t.Errorf("renamed: %+v, was %+v", b, a)
	}
}

func TestLinkIsASecondNameOfTheSameFile(t *testing.T) {
	fsys := Dir(t.TempDir())
	must(t, fsys.Mkdir("d"))
	write(t, fsys, "a", []byte("one"))
	write(t, fsys, "b", []byte("two"))
	f, err := fsys.Open("a")
	must(t, err)
	links := func(f File, want uint64) {
		if id, err := f.Identity(); id.Links != want || err != nil {
			t.Errorf("%d names, want %d; %v", id.Links, want, err)
		}
	}
	links(f, 1)
	must(t, fsys.Link("a", "d/a"))
	links(f, 2)
	must(t, fsys.Remove("a"))
	must(t, fsys.Link("d/a", "c"))
	must(t, fsys.Remove("d/a"))
	must(t, fsys.Rename("c", "d/a"))
	links(f, 1)
	must(t, f.Close())
	f, err = fsys.Open("b")
	must(t, err)
	must(t, fsys.Rename("d/a", "b"))
	links(f, 0) // another file has its name
	must(t, f.Close())
	must(t, fsys.Rename("b", "d/a"))
	write(t, fsys, "b", []byte("two"))
	f, err = fsys.Open("d/a")
	must(t, err)
	b := make([]byte, 3)
	_, err = f.ReadAt(b, 0)
	must(t, errors.Join(err, f.Close()))
	if string(b) != "one" {
		t.Errorf("the second name holds %q", b)
	}
	for name, want := range map[string]error{"d/a": fs.ErrExist, "d": fs.ErrExist, "absent/a": fs.ErrNotExist} {
		if err := fsys.Link("b", name); !errors.Is(err, want) || !strings.Contains(err.Error(), fsys.Path(name)) {
			t.Errorf("link to %s: %v, want %v", name, err, want)
		}
	}
	if err := fsys.Link("absent", "c"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("link of what is absent: %v", err)
	}
}

func TestNoHardLinksIsUnsupported(t *testing.T) {
	for errno, want := range map[syscall.Errno]bool{syscall.EPERM: true, syscall.ENOTSUP: true, syscall.EACCES: false, syscall.EEXIST: false} {
		err := linkError(&os.LinkError{Op: "link", Old: "a", New: "b", Err: errno})
		if errors.Is(err, ErrUnsupported) != want {
			t.Errorf("%v: %v", errno, err)
		}
	}
	if err := linkError(nil); err != nil {
		t.Error(err)
	}
}

func TestFreeIsPositive(t *testing.T) {
	if n, err := Dir(t.TempDir()).Free(); err != nil || n <= 0 {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := Dir(filepath.Join(t.TempDir(), "absent")).Free(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
}

func TestAsFS(t *testing.T) {
	fsys := Dir(t.TempDir())
	must(t, fsys.Mkdir("receipts"))
	write(t, fsys, "41.seg", bytes.Repeat([]byte("segment"), 1000))
	write(t, fsys, "receipts/41", []byte("sent"))
	must(t, fstest.TestFS(AsFS(fsys), "41.seg", "receipts/41"))
}

func TestTrace(t *testing.T) {
	var got []string
	fsys := Trace(Dir(t.TempDir()), func(line string) { got = append(got, line) })
	c, _, err := fsys.Lock("LOCK", "me")
	must(t, err)
	must(t, fsys.Mkdir("receipts"))
	f, err := fsys.Create("43.open")
	must(t, err)
	_, err = f.WriteAt(make([]byte, 4096), 512)
	must(t, err)
	must(t, f.Sync())
	must(t, f.Release())
	must(t, f.Chmod(0o400))
	must(t, fsys.Rename("43.open", "43.seg"))
	must(t, fsys.SyncDir("."))
	must(t, f.Close())
	must(t, fsys.Link("43.seg", "receipts/43.seg"))
	_, err = fsys.Create("43.seg")
	if !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	must(t, fsys.Remove("43.seg"))
	must(t, c.Close())
	want := []string{"lock LOCK", "mkdir receipts", "create 43.open", "write 43.open 512+4096", "sync 43.open",
		"release 43.open", "chmod 43.open 0400", "rename 43.open 43.seg", "syncdir .",
		"link 43.seg receipts/43.seg", "create 43.seg: file exists", "remove 43.seg", "unlock LOCK"}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestClassification(t *testing.T) {
	wrap := func(e syscall.Errno) error {
		return fmt.Errorf("put: %w", &fs.PathError{Op: "write", Path: "x", Err: e})
	}
	for _, c := range []struct {
		errno         syscall.Errno
		full, tooMany bool
	}{
		{syscall.ENOSPC, true, false},
		{syscall.EDQUOT, true, false},
		{syscall.EFBIG, false, false},
		{syscall.EIO, false, false},
		{syscall.EMFILE, false, true},
		{syscall.ENFILE, false, true},
	} {
		err := wrap(c.errno)
		if IsDiskFull(err) != c.full || IsTooManyFiles(err) != c.tooMany {
			t.Errorf("%v: full %v, too many %v", err, IsDiskFull(err), IsTooManyFiles(err))
		}
	}
	if IsDiskFull(nil) || IsTooManyFiles(nil) {
		t.Error("no error is one")
	}
	big := &fs.PathError{Op: "write", Path: "x", Err: syscall.EFBIG}
	if err := explain(big); !errors.Is(err, syscall.EFBIG) || !strings.Contains(err.Error(), "ulimit -f") {
		t.Error(err)
	}
}
