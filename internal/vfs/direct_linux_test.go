package vfs

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// randomFile makes a file of n random bytes, and opens it for reading.
func randomFile(t *testing.T, name string, n int, seed uint64) (*os.File, []byte) {
	t.Helper()
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, seed))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	path := filepath.Join(t.TempDir(), name)
	must(t, os.WriteFile(path, b, 0o600))
	f, err := os.Open(path)
	must(t, err)
	t.Cleanup(func() { f.Close() })
	return f, b
}

// beginAnyway has d read a file however short, and whether it is in the page cache.
func beginAnyway(t *testing.T, d *Direct, f *os.File, size, most int) {
	t.Helper()
	if err := control(f, func(fd int) error { return d.begin(fd, int64(size), most) }); err != nil {
		t.Skipf("no direct reads here: %v", err)
	}
}

// TestDirectReadsWhatTheFileHolds compares direct reads of files of lengths around those of
// pages and pieces with what was written: from the beginning to the end, and here and there.
func TestDirectReadsWhatTheFileHolds(t *testing.T) {
	var d Direct
	defer d.Close()
	for i, size := range []int{1, 4095, 4096, 4097, 8191, 8192, 8193, 8 * 4096, 100_000} {
		seed := uint64(i + 1)
		f, want := randomFile(t, "a", size, seed)
		r := rand.New(rand.NewPCG(seed, 2))
		for _, most := range []int{4096, 8192, MostDirect} {
			before := d.Bytes()
			beginAnyway(t, &d, f, size, most)
			for off := 0; off < size; {
				n := min(1+r.IntN(20_000), size-off)
				same(t, &d, want, off, n)
				off += n
			}
			if read := d.Bytes() - before; read != int64(size) {
				t.Errorf("seed %d: %d bytes, %d at once: %d were read", seed, size, most, read)
			}
			for range 40 {
				off := r.IntN(size)
				same(t, &d, want, off, 1+r.IntN(size-off))
			}
			n, err := d.ReadAt(make([]byte, 2), int64(size-1))
			if n != 1 || err == nil {
				t.Errorf("seed %d: beyond %d bytes: %d, %v", seed, size, n, err)
			}
			d.End()
		}
	}
}

// same compares n bytes.
func same(t *testing.T, d *Direct, want []byte, off, n int) {
	t.Helper()
	b := make([]byte, n)
	if m, err := d.ReadAt(b, int64(off)); m != n || err != nil {
		t.Fatalf("of %d bytes, %d at %d: %d, %v", len(want), n, off, m, err)
	}
	if !bytes.Equal(b, want[off:off+n]) {
		t.Fatalf("of %d bytes, %d at %d: others", len(want), n, off)
	}
}

// TestDirectGoesFromFileToFile leaves one while the next piece of it is being read.
func TestDirectGoesFromFileToFile(t *testing.T) {
	const size = 5 * 4096
	var d Direct
	defer d.Close()
	a, wantA := randomFile(t, "a", size, 1)
	b, wantB := randomFile(t, "b", size, 2)
	for range 3 {
		beginAnyway(t, &d, a, size, 4096)
		same(t, &d, wantA, 0, 100)
		d.End()
		d.End()
		beginAnyway(t, &d, b, size, 4096)
		same(t, &d, wantB, 0, size)
		d.End()
	}
	beginAnyway(t, &d, a, size, 4096)
	same(t, &d, wantA, 0, 100)
	d.Close()
	d.Close()
	beginAnyway(t, &d, b, size, 4096)
	same(t, &d, wantB, 0, size)
}

// TestDirectEndsWithAShorterFile: an error, and no end of waiting.
func TestDirectEndsWithAShorterFile(t *testing.T) {
	const size = 8 * 4096
	var d Direct
	defer d.Close()
	f, want := randomFile(t, "a", size, 1)
	beginAnyway(t, &d, f, size, 4096)
	must(t, os.Truncate(f.Name(), 3*4096+10))
	b := make([]byte, size)
	n, err := d.ReadAt(b, 0)
	if !errors.Is(err, io.EOF) || n != 3*4096+10 || !bytes.Equal(b[:n], want[:n]) {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// TestWhatDirectLeaves: it refuses what is better read as it is, and lets go of it.
func TestWhatDirectLeaves(t *testing.T) {
	dir := Dir(t.TempDir())
	write(t, dir, "a", bytes.Repeat([]byte("x"), minDirect))
	write(t, dir, "short", bytes.Repeat([]byte("x"), minDirect-1))
	open := func(name string) File {
		f, err := dir.Open(name)
		must(t, err)
		t.Cleanup(func() { f.Close() })
		return f
	}
	cachedFile, short := open("a"), open("short")
	traced, err := Trace(dir, func(string) {}).Open("a")
	must(t, err)
	defer traced.Close()
	proc, err := os.Open("/proc/self/status")
	must(t, err)
	defer proc.Close()
	handle, err := NewHandles(dir.Open, KeepFew).Open("a")
	must(t, err)
	defer handle.Close()
	if !asked(t, cachedFile, func(fd int) bool { return cached(fd, minDirect) }) {
		t.Skip("what was just written is not in the page cache")
	}
	for name, src := range map[string]io.ReaderAt{
		"memory": bytes.NewReader(make([]byte, minDirect)), "a short file": short, "a file in the page cache": cachedFile,
		"a file of another file system": traced, "a file system that refuses": proc, "a handle of one in the page cache": handle,
	} {
		var d Direct
		size := int64(minDirect)
		if src == short {
			size--
		}
		if d.Begin(src, size, 4096) {
			t.Errorf("%s is read directly", name)
		}
		d.Close()
	}
	if handle.users != 0 {
		t.Errorf("%d read the handle", handle.users)
	}
}

// asked asks of the descriptor of a file of this package.
func asked(t *testing.T, f File, ask func(fd int) bool) (answer bool) {
	t.Helper()
	must(t, control(osFile(f), func(fd int) error {
		answer = ask(fd)
		return nil
	}))
	return answer
}

// TestDirectReadsFilesOfAnyView opens one in each way that leads to the system's files.
func TestDirectReadsFilesOfAnyView(t *testing.T) {
	path := t.TempDir()
	dir := Dir(path)
	want := bytes.Repeat([]byte("0123456789abcdef"), minDirect/16)
	write(t, dir, "a", want)
	handles := NewHandles(dir.Open, KeepFew)
	for name, open := range map[string]func() (io.ReaderAt, error){
		"os":     func() (io.ReaderAt, error) { return os.Open(dir.Path("a")) },
		"Dir":    func() (io.ReaderAt, error) { return dir.Open("a") },
		"Root":   func() (io.ReaderAt, error) { return Root(path).Open("a") },
		"AsFS":   func() (io.ReaderAt, error) { return FromFS(AsFS(dir)).Open("a") },
		"DirFS":  func() (io.ReaderAt, error) { return FromFS(os.DirFS(path)).Open("a") },
		"Handle": func() (io.ReaderAt, error) { return handles.Open("a") },
	} {
		src, err := open()
		must(t, err)
		evict(t, dir.Path("a"))
		why := whyNot(t, dir.Path("a"))
		var d Direct
		if d.Begin(src, minDirect, MostDirect) {
			same(t, &d, want, 0, len(want))
			if h, ok := src.(*Handle); ok && h.users != 1 {
				t.Errorf("%d read the handle", h.users)
			}
		} else if why == "" {
			t.Errorf("%s: refused", name)
		}
		d.Close()
		if h, ok := src.(*Handle); ok && h.users != 0 {
			t.Errorf("afterwards %d read the handle", h.users)
		}
		must(t, src.(io.Closer).Close())
	}
}

// evict asks the system to drop a file from the page cache.
func evict(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	must(t, unix.Fdatasync(int(f.Fd())))
	must(t, errors.Join(unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED), f.Close()))
}

// whyNot says why a file cannot be read directly here: empty if it can.
func whyNot(t *testing.T, path string) (why string) {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	var d Direct
	defer d.Close()
	err = control(f, func(fd int) error {
		if cached(fd, minDirect) {
			why = "in the page cache"
		}
		return d.begin(fd, minDirect, 4096)
	})
	if err != nil {
		why = err.Error()
	}
	return why
}

// TestDirectTellsOfFailedReads reads into memory that cannot be written to.
func TestDirectTellsOfFailedReads(t *testing.T) {
	f, _ := randomFile(t, "a", 4096, 1)
	none, err := unix.Mmap(-1, 0, 4096, unix.PROT_NONE, unix.MAP_ANON|unix.MAP_PRIVATE)
	must(t, err)
	defer unix.Munmap(none)
	var d Direct
	defer d.Close()
	beginAnyway(t, &d, f, 4096, 4096)
	n := 0
	if err = d.aio.begin(d.fd, none, 0); err == nil {
		n, err = d.aio.wait()
	}
	if err != unix.EFAULT || n != 0 {
		t.Errorf("%d bytes, %v", n, err)
	}
}
