package crashfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/varve-db/varve/internal/vfs"
)

// TestConformance holds crashfs to what the operating system does.
func TestConformance(t *testing.T) {
	t.Run("os", func(t *testing.T) { conformance(t, vfs.Dir(t.TempDir())) })
	t.Run("root", func(t *testing.T) { conformance(t, vfs.Root(t.TempDir())) })
	t.Run("crashfs", func(t *testing.T) { conformance(t, New()) })
}

func conformance(t *testing.T, fsys vfs.FS) {
	is := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	f := create(t, fsys, "a")
	write1(t, f, 3, []byte("abc"))
	write1(t, f, 1, []byte("12345678"))
	got := make([]byte, 20)
	n, err := f.ReadAt(got, 0)
	if string(got[:n]) != "\x0012345678" || err != io.EOF {
		t.Errorf("read %q, %v", got[:n], err)
	}
	_, err = f.ReadAt(got[:4], 100)
	is("read beyond the end", err, io.EOF)
	if n, err := f.ReadAt(got[:9], 0); n != 9 || err != nil {
		t.Errorf("read all: %d, %v", n, err)
	}
	_, err = fsys.Create("a")
	is("create again", err, fs.ErrExist)
	_, err = fsys.Open("none")
	is("open nothing", err, fs.ErrNotExist)
	_, err = fsys.Create("none/x")
	is("create in no folder", err, fs.ErrNotExist)
	_, err = fsys.Create("a/x")
	is("create in a file", err, syscall.ENOTDIR)
	is("rename nothing", fsys.Rename("none", "b"), fs.ErrNotExist)
	is("remove nothing", fsys.Remove("none"), fs.ErrNotExist)
	is("sync no folder", fsys.SyncDir("none"), fs.ErrNotExist)
	must(t, fsys.Mkdir("d"))
	must(t, fsys.Mkdir("d"))
	is("mkdir over a file", fsys.Mkdir("a"), fs.ErrExist)
	is("link over a file", fsys.Link("a", "a"), fs.ErrExist)
	is("link over a folder", fsys.Link("a", "d"), fs.ErrExist)
	is("link nothing", fsys.Link("none", "b"), fs.ErrNotExist)
	is("link into no folder", fsys.Link("a", "none/b"), fs.ErrNotExist)
	must(t, fsys.Link("a", "d/b"))
	must(t, fsys.Rename("a", "d/b")) // two names of one file: both stay
	must(t, fsys.Remove("d/b"))
	_, err = fsys.Open("d")
	is("open a folder", err, vfs.ErrNotRegular)
	must(t, create(t, fsys, "d/x").Close())
	is("remove a full folder", fsys.Remove("d"), syscall.ENOTEMPTY)
	is("bad name", fsys.Remove("../a"), fs.ErrInvalid)

	id, err := f.Identity()
	must(t, err)
	must(t, fsys.Rename("a", "d/x"))
	r, err := fsys.Open("d/x")
	must(t, err)
	if id2, err := r.Identity(); id2.Inode != id.Inode || id2.Birth != id.Birth || err != nil {
		t.Errorf("identity %v after the rename, %v before, %v", id2, id, err)
	}
	_, err = r.WriteAt([]byte("x"), 0)
	is("write without the right", err, syscall.EBADF)
	must(t, fsys.Link("d/x", "y"))
	for want, name := range []string{"d/x", "y"} {
		must(t, fsys.Remove(name))
		if id, err := r.Identity(); id.Links != uint64(1-want) || err != nil {
			t.Errorf("%d names after %s was removed, %v", id.Links, name, err)
		}
	}
	if n, err := r.ReadAt(got[:9], 0); n != 9 || err != nil {
		t.Errorf("read of a removed file: %d, %v", n, err)
	}
	must(t, r.Close())
	_, err = r.ReadAt(got, 0)
	is("read after close", err, fs.ErrClosed)
	is("close again", r.Close(), fs.ErrClosed)
	must(t, fsys.Remove("d"))
	list, err := fsys.ReadDir(".")
	if len(list) != 0 || err != nil {
		t.Errorf("left: %v, %v", list, err)
	}
}

func TestAsFS(t *testing.T) {
	fsys := New()
	fsys.SetBytes("41.seg", bytes.Repeat([]byte("segment"), 1000))
	fsys.SetBytes("receipts/41", []byte("sent"))
	must(t, fstest.TestFS(vfs.AsFS(fsys), "41.seg", "receipts/41"))
}

func TestLock(t *testing.T) {
	fsys := New()
	if held, err := fsys.Locked("LOCK"); held || err != nil {
		t.Errorf("at first: %v, %v", held, err)
	}
	c, _, err := fsys.Lock("LOCK", "me")
	must(t, err)
	if _, present, err := fsys.Lock("LOCK", "you"); !errors.Is(err, vfs.ErrLocked) || present != "me" {
		t.Errorf("second lock: %q, %v", present, err)
	}
	for what, other := range map[string]*FS{"crash": fsys.Crash(0, Kind{}), "kill": fsys.Kill()} {
		if held, err := other.Locked("LOCK"); held || err != nil {
			t.Errorf("after a %s: %v, %v", what, held, err)
		}
	}
	must(t, c.Close())
	c, _, err = fsys.Lock("LOCK", "you")
	must(t, err)

	// Behind the holder it is a file like any other.
	_, err = c.WriteAt([]byte("witness"), vfs.HolderSize)
	must(t, err)
	must(t, fsys.SyncDir("."))
	if b := fsys.Crash(0, Kind{Data: DataNone, Names: NamesAll}).Bytes("LOCK"); len(b) != vfs.HolderSize || vfs.Holder(b) != "you" {
		t.Errorf("unsynced: %d bytes", len(b))
	}
	must(t, c.Sync())
	if b := fsys.Crash(0, Kind{Data: DataNone, Names: NamesAll}).Bytes("LOCK"); string(b[vfs.HolderSize:]) != "witness" {
		t.Errorf("synced: %d bytes", len(b))
	}
	must(t, c.Close())
	c, _, err = fsys.Lock("LOCK", "third")
	must(t, err)
	must(t, c.Close())
	if b := fsys.Bytes("LOCK"); string(b[vfs.HolderSize:]) != "witness" || vfs.Holder(b[:vfs.HolderSize]) != "third" {
		t.Errorf("after a third holder: %d bytes", len(b))
	}
}

func TestCutAt(t *testing.T) {
	fsys := New()
	fsys.CutAt(3)
	f := create(t, fsys, "a")
	write1(t, f, 0, []byte("one"))
	if n, err := f.WriteAt([]byte("two"), 3); n != 0 || !errors.Is(err, ErrPowerCut) {
		t.Errorf("the write that was cut: %d, %v", n, err)
	}
	if _, err := fsys.Stat("a"); !errors.Is(err, ErrPowerCut) {
		t.Errorf("after the cut: %v", err)
	}
	if got := fsys.Crash(0, Kind{DataAll, NamesAll}).Bytes("a"); string(got) != "onetwo" {
		t.Errorf("all kept: %q", got)
	}
}

func TestFaults(t *testing.T) {
	fsys := New()
	f := create(t, fsys, "a")
	fsys.Fail(ShortWriteNth(2, 2, syscall.ENOSPC))
	write1(t, f, 0, []byte("one"))
	if n, err := f.WriteAt([]byte("two"), 3); n != 2 || !vfs.IsDiskFull(err) || !strings.Contains(err.Error(), fsys.Path("a")) {
		t.Errorf("short write: %d, %v", n, err)
	}
	if got := string(fsys.Bytes("a")); got != "onetw" {
		t.Errorf("the file holds %q", got)
	}
	fsys.Fail(FailNth(2, syscall.EIO, false))
	calls := []func() error{
		func() error { _, err := fsys.Stat("a"); return err },
		func() error { _, err := f.ReadAt(make([]byte, 1), 0); return err },
		func() error { _, err := fsys.ReadDir("."); return err },
	}
	for i, call := range calls {
		if err := call(); errors.Is(err, syscall.EIO) != (i > 0) {
			t.Errorf("call %d: %v", i+1, err)
		}
	}
	var ops []string
	fsys.Fail(func(op Op) error { ops = append(ops, op.String()); return nil })
	must(t, f.Sync())
	must(t, fsys.Rename("a", "b"))
	if want := []string{"4: sync a", "5: rename a b"}; !slices.Equal(ops, want) {
		t.Errorf("the hook saw %q", ops)
	}
}

func TestSpace(t *testing.T) {
	fsys := New()
	fsys.SetFree(1000)
	free := func(want int64) {
		t.Helper()
		if n, err := fsys.Free(); n != want || err != nil {
			t.Errorf("%d free, %v, want %d", n, err, want)
		}
	}
	f := create(t, fsys, "a")
	must(t, f.Reserve(600))
	free(400)
	g := create(t, fsys, "b")
	if n, err := g.WriteAt(fill('x', 500), 0); n != 400 || !vfs.IsDiskFull(err) {
		t.Errorf("wrote %d, %v", n, err)
	}
	free(0)
	write1(t, f, 0, fill('x', 600))
	if err := f.Reserve(601); !vfs.IsDiskFull(err) {
		t.Errorf("reserved: %v", err)
	}
	must(t, fsys.Remove("b"))
	free(0) // it is open
	must(t, g.Close())
	free(400)
	must(t, f.Reserve(1000))
	free(0)
	must(t, f.Release())
	free(400)
	fsys.SetFree(-1)
	must(t, f.Reserve(1<<30))
}

func TestRecording(t *testing.T) {
	fsys := New()
	durable(t, fsys, "before", []byte("x"))
	rec := fsys.Record()
	first := fsys.Ops()
	f := create(t, fsys, "a")
	for i := range 50 {
		write1(t, f, int64(i*3), fmt.Appendf(nil, "%03d", i))
	}
	must(t, f.Sync())
	must(t, fsys.SyncDir("."))
	must(t, fsys.Remove("before"))
	if rec.First() != first || rec.Ops() != first+54 || rec.Op(first+1).Kind != OpCreate {
		t.Errorf("first %d, last %d, %v", rec.First(), rec.Ops(), rec.Op(first+1))
	}
	for _, n := range []int{0, 1, 30, 51, 10, 54} { // up and back
		c := rec.At(first + n)
		if want := max(min(n-1, 50)*3, 0); len(c.Bytes("a")) != want || c.Ops() != first+n {
			t.Errorf("after %d: %d bytes, %d operations", n, len(c.Bytes("a")), c.Ops())
		}
		if got := len(c.Crash(0, Kind{}).Bytes("a")); got != 0 && n < 53 {
			t.Errorf("after %d: %d bytes are durable", n, got)
		}
	}
	if got := len(rec.At(first+53).Crash(0, Kind{}).Bytes("a")); got != 150 {
		t.Errorf("after the syncs %d bytes are durable", got)
	}
}

func TestCopiesAreApart(t *testing.T) {
	fsys := tail(t)
	want := fsys.Bytes("a")
	clone, copied := fsys.Clone(), fsys.Copy()
	for _, other := range []*FS{clone, fsys} {
		f, err := other.OpenWrite("a")
		must(t, err)
		write1(t, f, 5000, fill('z', 100))
		write1(t, f, 0, fill('z', 100))
		must(t, f.Close())
	}
	if !bytes.Equal(copied.Bytes("a"), want) || !bytes.Equal(copied.Crash(0, Kind{}).Bytes("a"), want) {
		t.Error("the copy changed, or is not durable")
	}
	if got := fsys.Crash(0, Kind{}).Bytes("a"); !bytes.Equal(got, fill('d', 1000)) {
		t.Error("the durable bytes changed")
	}
	id := func(fsys *FS) vfs.Identity {
		f, err := fsys.Open("a")
		must(t, err)
		id, err := f.Identity()
		must(t, err)
		return id
	}
	before := id(fsys)
	fsys.SetBytes("a", []byte("damaged"))
	if before != id(fsys) || before != id(clone) || before == id(copied) {
		t.Errorf("identities %v, %v, clone %v, copy %v", before, id(fsys), id(clone), id(copied))
	}
}

func TestConcurrentUse(t *testing.T) {
	fsys := New()
	rec := fsys.Record()
	var workers sync.WaitGroup
	for w := range 4 {
		workers.Go(func() {
			name := fmt.Sprint(w)
			f, err := fsys.Create(name)
			if err != nil {
				t.Error(err)
				return
			}
			for i := range 50 {
				_, err := f.WriteAt(fill('x', 100), int64(i)*100)
				if err = errors.Join(err, f.Sync(), fsys.SyncDir(".")); err != nil {
					t.Error(err)
				}
				fsys.Crash(uint64(i), Kinds[i%len(Kinds)])
				rec.At(rec.Ops())
			}
			if err := errors.Join(f.Close(), fsys.Remove(name)); err != nil {
				t.Error(err)
			}
		})
	}
	workers.Wait()
}
