package vfs

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// TestRelease measures, on the file system of the temporary folder and on
// tmpfs, that Reserve takes blocks and Release gives them back. A truncation to
// the present length does so on both; punching a hole beyond the end frees
// nothing on ext4.
func TestRelease(t *testing.T) {
	dirs := []string{t.TempDir()}
	if shm, err := os.MkdirTemp("/dev/shm", "varve"); err == nil {
		defer os.RemoveAll(shm)
		dirs = append(dirs, shm)
	}
	for _, dir := range dirs {
		for _, size := range []int{0, 100, 4096, 5000} {
			testRelease(t, Dir(dir), size)
		}
	}
}

func testRelease(t *testing.T, fsys FS, size int) {
	const room = 1 << 20
	f, err := fsys.Create("a")
	must(t, err)
	defer fsys.Remove("a")
	defer f.Close()
	_, err = f.WriteAt(make([]byte, size), 0)
	must(t, err)
	before := blocks(t, f)
	err = f.Reserve(room)
	if errors.Is(err, ErrUnsupported) {
		t.Skipf("%s: %v", fsys.Path("."), err)
	}
	must(t, err)
	if n := blocks(t, f); n*512 < room {
		t.Errorf("%s, %d bytes: %d blocks are reserved", fsys.Path("."), size, n)
	}
	if n, err := f.Size(); n != int64(size) || err != nil {
		t.Errorf("reserving made the length %d, %v", n, err)
	}
	must(t, f.Release())
	if n := blocks(t, f); n != before {
		t.Errorf("%s, %d bytes: %d blocks before, %d after", fsys.Path("."), size, before, n)
	}
	if n, err := f.Size(); n != int64(size) || err != nil {
		t.Errorf("releasing made the length %d, %v", n, err)
	}
}

// blocks counts the blocks of 512 bytes that a file holds on the disk.
func blocks(t *testing.T, f File) int64 {
	t.Helper()
	must(t, f.Sync())
	var st unix.Stat_t
	must(t, unix.Fstat(int(f.(*file).f.Fd()), &st))
	return st.Blocks
}
