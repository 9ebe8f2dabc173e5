package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// tree describes every file below dir, but for times.
func tree(t *testing.T, dir string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		line := fmt.Sprint(path, " ", info.Mode())
		if d.Type().IsRegular() {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %x", b)
		}
		list = append(list, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// makeStore makes a store in dir with sealed segments and an open log.
func makeStore(t testing.TB, dir string, n int) {
	t.Helper()
	db, err := Open(dir, &Options{SegmentSize: MinSegmentSize, Durability: SyncEvery(time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		mustPut(t, db, fmt.Sprintf("k%04d", i), value("k", 1500))
	}
	mustClose(t, db)
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestOpenRefuses opens what cannot be opened: the error says why and names the
// place, and nothing is touched.
func TestOpenRefuses(t *testing.T) {
	noLeaks(t)
	for _, c := range []struct {
		name string
		make func(t *testing.T, dir string) (path string)
		opt  Options
		want error
		says string
	}{
		{"a file", func(t *testing.T, dir string) string {
			write(t, dir+"/f", "x")
			return dir + "/f"
		}, Options{}, ErrNotStore, "is a file"},
		{"a path below a file", func(t *testing.T, dir string) string {
			write(t, dir+"/f", "x")
			return dir + "/f/store"
		}, Options{}, syscall.ENOTDIR, "/f"},
		{"a path below a folder that is not there", func(t *testing.T, dir string) string {
			return dir + "/no/store"
		}, Options{}, fs.ErrNotExist, "/no"},
		{"a folder with other files", func(t *testing.T, dir string) string {
			write(t, dir+"/notes.txt", "x")
			return dir
		}, Options{}, ErrNotStore, "notes.txt"},
		{"a folder with another folder", func(t *testing.T, dir string) string {
			if err := os.Mkdir(dir+"/photos", 0o700); err != nil {
				t.Fatal(err)
			}
			return dir
		}, Options{}, ErrNotStore, "photos"},
		{"an absent store that must exist", func(t *testing.T, dir string) string {
			return dir + "/absent"
		}, Options{MustExist: true}, fs.ErrNotExist, "no store"},
		{"an empty folder that must be a store", func(t *testing.T, dir string) string {
			return dir
		}, Options{MustExist: true}, fs.ErrNotExist, "no store"},
		{"quarantined files and no segment", func(t *testing.T, dir string) string {
			if err := os.Mkdir(dir+"/quarantine", 0o700); err != nil {
				t.Fatal(err)
			}
			return dir
		}, Options{}, ErrMissing, "traces"},
		{"a symbolic link that leads nowhere", func(t *testing.T, dir string) string {
			if err := os.Symlink(dir+"/nowhere", dir+"/link"); err != nil {
				t.Fatal(err)
			}
			return dir + "/link"
		}, Options{}, vfs.ErrDangling, "link: a symbolic link to what is not there"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := c.make(t, dir)
			before := tree(t, dir)
			db, err := Open(path, &c.opt)
			if err == nil {
				mustClose(t, db)
			}
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), dir) {
				t.Errorf("open: %v; want %v and %q", err, c.want, c.says)
			}
			if !slices.Equal(before, tree(t, dir)) {
				t.Errorf("the folder was touched: %q, now %q", before, tree(t, dir))
			}
			r, err := OpenReadOnly(path, nil)
			if err == nil {
				mustClose(t, r)
			}
			if err == nil || !strings.Contains(err.Error(), dir) {
				t.Errorf("open read-only: %v", err)
			}
			if !slices.Equal(before, tree(t, dir)) {
				t.Errorf("the folder was touched by a reader: %q, now %q", before, tree(t, dir))
			}
		})
	}
}

func TestOptionsOutOfRange(t *testing.T) {
	for _, o := range []Options{
		{SegmentSize: MinSegmentSize - 1}, {SegmentSize: MaxSegmentSize + 1}, {SegmentSize: -1},
		{MaxSegmentAge: -1}, {MaxIndexBytes: -1}, {Integrity: integrity.Level(200)},
	} {
		dir := t.TempDir() + "/s"
		if db, err := Open(dir, &o); err == nil {
			mustClose(t, db)
			t.Errorf("%+v is taken", o)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%+v: the folder was made: %v", o, err)
		}
	}
	for _, text := range []string{"", "never", "0s", "-1s", "1"} {
		if err := new(Durability).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("durability %q is taken", text)
		}
	}
	for _, text := range []string{"always", "1s", "20ms"} {
		var d Durability
		if err := d.UnmarshalText([]byte(text)); err != nil || d.String() != text {
			t.Errorf("durability %q: %v, %v", text, d, err)
		}
	}
}

func TestIndexTooLarge(t *testing.T) {
	noLeaks(t)
	dir := t.TempDir()
	makeStore(t, dir, 400)
	before := tree(t, dir)
	_, err := Open(dir, &Options{MaxIndexBytes: 1000})
	if !errors.Is(err, ErrIndexTooLarge) || !strings.Contains(err.Error(), "1000 are allowed") {
		t.Errorf("open: %v", err)
	}
	if _, err := OpenReadOnly(dir, &Options{MaxIndexBytes: 1000}); !errors.Is(err, ErrIndexTooLarge) {
		t.Errorf("open read-only: %v", err)
	}
	notLock := func(s string) bool { return strings.Contains(s, segment.LockName) }
	if !slices.Equal(slices.DeleteFunc(before, notLock), slices.DeleteFunc(tree(t, dir), notLock)) {
		t.Error("files were touched")
	}
	db, err := Open(dir, &Options{MaxIndexBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, db)
}

func TestPathsOfAllKinds(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, dir := range []string{"real", "volume", "volume/lost+found"} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("real", "link"); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"relative", "./with spaces and 'quotes'", "üñïçødé ☃", "-dash", "a/../b", "trailing/", "link", "volume"} {
		if err := os.MkdirAll("a", 0o700); err != nil {
			t.Fatal(err)
		}
		makeStore(t, path, 5)
		r, err := OpenReadOnly(path, nil)
		if err != nil || r.Stats().Objects != 5 {
			t.Fatalf("%q: %v", path, err)
		}
		mustClose(t, r)
	}
	db, err := Open("relative", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir("/") // the store stays where it is
	mustPut(t, db, "k", "1")
	if _, err := db.Seal(); err != nil {
		t.Error(err)
	}
	mustClose(t, db)
}

func TestModes(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	dir := t.TempDir() + "/s"
	makeStore(t, dir, 10)
	check := func(path string, want fs.FileMode) {
		t.Helper()
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, want %v", path, info.Mode().Perm(), want)
		}
	}
	check(dir, 0o700)
	segs, logs := glob(t, dir, "*.seg"), glob(t, dir, "*.open")
	if len(segs) == 0 || len(logs) != 1 {
		t.Fatalf("%q %q", segs, logs)
	}
	for _, p := range segs {
		check(p, 0o400)
	}
	check(logs[0], 0o600)
	check(dir+"/LOCK", 0o600)
	for _, p := range append(segs, logs...) { // other modes are no error
		if err := os.Chmod(p, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	db, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, db)
}

func glob(t *testing.T, dir, pattern string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func needRoot(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("starts a process as another user: needs root on Linux")
	}
}

// TestPlainUser runs as a user whom the modes of files bind.
func TestPlainUser(t *testing.T) {
	if os.Getuid() != 0 {
		dir := t.TempDir()
		makeStore(t, dir+"/readonly", 10)
		childPlainUser(t, dir)
		return
	}
	needRoot(t)
	const nobody = 65534
	dir, err := os.MkdirTemp("/tmp", "varve-plain-user-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	makeStore(t, dir+"/root's", 10)
	makeStore(t, dir+"/readonly", 10)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if strings.Contains(path, "root's") {
			return err
		}
		return errors.Join(err, os.Chown(path, nobody, nobody))
	})
	if err != nil {
		t.Fatal(err)
	}
	start(t, "plain user", dir, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}).finish(t)
}

func childPlainUser(t *testing.T, dir string) {
	denied := func(what string, err error, says string) {
		t.Helper()
		if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v; want a permission error that names %s", what, err, says)
		}
	}
	if _, err := os.Stat(dir + "/root's"); err == nil { // of another owner
		_, err := Open(dir+"/root's", nil)
		denied("open of root's store", err, "root's")
		_, err = OpenReadOnly(dir+"/root's", nil)
		denied("open of root's store for reading", err, "root's")
	}
	ro := dir + "/readonly"
	if err := os.Chmod(ro, 0o500); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(ro, 0o700)
	_, err := Open(ro+"/new", nil)
	denied("creation in a read-only folder", err, "new")
	lock := ro + "/LOCK"
	if err := os.Chmod(lock, 0o400); err != nil {
		t.Fatal(err)
	}
	before := tree(t, ro)
	_, err = Open(ro, nil)
	denied("open of a read-only store", err, "LOCK")
	if !slices.Equal(before, tree(t, ro)) {
		t.Error("files were touched")
	}
	r, err := OpenReadOnly(ro, nil)
	if err != nil {
		t.Fatalf("reading from a read-only folder: %v", err)
	}
	if got, err := readAll(r); err != nil || len(got) != 10 {
		t.Errorf("%d objects, %v", len(got), err)
	}
	mustClose(t, r)
	if err := os.Chmod(glob(t, ro, "*.seg")[0], 0); err != nil {
		t.Fatal(err)
	}
	_, err = OpenReadOnly(ro, nil)
	denied("reading a store with a segment that may not be read", err, ".seg")
	plainUserRecovers(t, dir)
}

// plainUserRecovers lets a plain user open a store that died between the mode
// and the name of a seal, which root would not notice.
func plainUserRecovers(t *testing.T, dir string) {
	path := dir + "/readonly/../mine"
	makeStore(t, path, 10)
	seg := glob(t, path, "*.seg")[0]
	if err := os.Rename(seg, strings.TrimSuffix(seg, ".seg")+".open"); err != nil {
		t.Fatal(err)
	}
	db, err := Open(path, nil)
	if err != nil {
		t.Fatalf("after a seal that ended between mode and name: %v", err)
	}
	if got, err := readAll(db); err != nil || len(got) != 10 {
		t.Errorf("%d objects, %v", len(got), err)
	}
	mustClose(t, db)
}

func TestFewFileHandles(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("counts handles in /proc")
	}
	dir := t.TempDir()
	makeStore(t, dir, 400)
	if n := len(glob(t, dir, "*.seg")); n < 190 {
		t.Fatalf("%d segments", n)
	}
	start(t, "few handles", dir, nil).finish(t)
}

func TestFileMayNotGrow(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("sets RLIMIT_FSIZE")
	}
	start(t, "small files", t.TempDir(), nil).finish(t)
}

func TestSecondProcessIsKeptOut(t *testing.T) {
	dir := t.TempDir()
	c := start(t, "hold", dir, nil)
	pid := c.until(t, "holding")
	for range 2 {
		_, err := Open(dir, nil)
		if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "pid "+pid+",") || !strings.Contains(err.Error(), "since 20") || !strings.Contains(err.Error(), dir) {
			t.Errorf("open beside process %s: %v", pid, err)
		}
	}
	r, err := OpenReadOnly(dir, nil)
	if err != nil {
		t.Fatalf("read-only beside a writer: %v", err)
	}
	mustClose(t, r)
	c.kill() // and the LOCK file stays, without a lock
	db, err := Open(dir, nil)
	if err != nil {
		t.Fatalf("open after the holder was killed: %v", err)
	}
	if _, err := Open(dir, nil); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprintf("pid %d,", os.Getpid())) {
		t.Errorf("second open in one process: %v", err)
	}
	mustClose(t, db)
	db, err = Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, db)
}

// TestFileShrinksUnderTheStore damages files that a store has open and mapped:
// reads return errors, and the process lives.
func TestFileShrinksUnderTheStore(t *testing.T) {
	noLeaks(t)
	for _, c := range []struct {
		name   string
		pats   []string
		damage func(path string) error
		harm   bool // reads must fail
	}{
		{"sealed segments cut short", []string{"*.seg"}, func(p string) error { return os.Truncate(p, 100) }, true},
		{"sealed segments emptied", []string{"*.seg"}, func(p string) error { return os.Truncate(p, 0) }, true},
		{"the log emptied", []string{"*.open"}, func(p string) error { return os.Truncate(p, 0) }, true},
		{"all emptied and removed", []string{"*.seg", "*.open"}, func(p string) error { return errors.Join(os.Truncate(p, 0), os.Remove(p)) }, true},
		{"all removed", []string{"*.seg", "*.open"}, os.Remove, false},
		{"overwritten", []string{"*.seg", "*.open"}, func(p string) error {
			return errors.Join(os.Chmod(p, 0o600), overwriteFile(p))
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			makeStore(t, dir, 40)
			db, err := Open(dir, &Options{SegmentSize: MinSegmentSize})
			if err != nil {
				t.Fatal(err)
			}
			for i := range 3 { // some in a log that was begun by this process
				mustPut(t, db, fmt.Sprintf("new%d", i), value("new", 1000))
			}
			r, err := OpenReadOnly(dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, "rest", func() bool { return db.isMarked() && db.sealer.backlog() == 0 })
			for _, pat := range c.pats {
				for _, p := range glob(t, dir, pat) {
					if info, err := os.Stat(p); err != nil || info.Size() == 0 {
						continue // the next log
					}
					if err := c.damage(p); err != nil {
						t.Fatal(err)
					}
				}
			}
			for what, v := range map[string]reading{"db": db, "reader": r} {
				readDamaged(t, what, v, c.harm)
			}
			mustClose(t, r)
			if err := db.Close(); err != nil {
				t.Logf("close: %v", err)
			}
		})
	}
}

func overwriteFile(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(make([]byte, info.Size()), 0)
	return errors.Join(err, f.Close())
}

// readDamaged reads every key, by get and by scan: what is returned is right, or
// is an error.
func readDamaged(t *testing.T, what string, v reading, harm bool) {
	t.Helper()
	s, err := v.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	bad, n := 0, 0
	for o, err := range s.Scan(Range{}) {
		n++
		if err != nil {
			bad++
			if len(o.Key) == 0 {
				t.Errorf("%s: %v without a key", what, err)
			}
		} else if string(o.Value) != value(strings.TrimRight(string(o.Key), "0123456789"), len(o.Value)) {
			t.Errorf("%s: a wrong value of %s", what, o.Key)
		}
		if _, gerr := v.Get(o.Key); (gerr == nil) != (err == nil) || errors.Is(gerr, ErrNotFound) {
			t.Errorf("%s: get %s: %v; the scan says %v", what, o.Key, gerr, err)
		}
	}
	if n < 40 || harm != (bad > 0) {
		t.Errorf("%s: %d objects, %d damaged; want damage: %v", what, n, bad, harm)
	}
}
