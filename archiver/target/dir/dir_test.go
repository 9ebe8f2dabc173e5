package dir_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver/internal/archivetest"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/archiver/target/dir"
	"github.com/varve-db/varve/archiver/target/targettest"
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/statefile"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
)

func TestDirIsATarget(t *testing.T) {
	targettest.Run(t, func(t *testing.T) target.Target { return archivetest.OpenDir(t, t.TempDir()) })
}

func TestDirOverCrashfsIsATarget(t *testing.T) {
	targettest.Run(t, func(*testing.T) target.Target { return dir.OpenFS(crashfs.New(), "file:///crashfs") })
}

// temp is a temporary name, which goldens leave out.
var temp = regexp.MustCompile(`\.tmp-[0-9a-f]+-[0-9]+-[A-Z2-7]+`)

// traced returns the calls that change something, line by line.
func traced(fsys vfs.FS, lines *[]string) vfs.FS {
	return vfs.Trace(fsys, func(line string) { *lines = append(*lines, temp.ReplaceAllString(line, "TEMP")) })
}

// TestDirTrace is the durability of the directory target, line by line: bytes
// before their name, a name before the return, a folder before what is in it.
func TestDirTrace(t *testing.T) {
	var got []string
	d := dir.OpenFS(traced(crashfs.New(), &got), "")
	step := func(what string, err error, want ...string) {
		t.Helper()
		testkit.Must(t, err)
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n\t%s\nwant\n\t%s", what, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
		}
		got = nil
	}
	step("the first object", archivetest.Put(d, "a/b/1", make([]byte, 300<<10)),
		"syncdir ..", "mkdir a", "syncdir .", "mkdir a/b", "syncdir a",
		"create a/b/TEMP", "write a/b/TEMP 0+262144", "write a/b/TEMP 262144+45056", "chmod a/b/TEMP 0400", "sync a/b/TEMP",
		"link a/b/TEMP a/b/1", "remove a/b/TEMP", "syncdir a/b")
	step("the second", archivetest.Put(d, "a/b/2", nil),
		"create a/b/TEMP", "chmod a/b/TEMP 0400", "sync a/b/TEMP", "link a/b/TEMP a/b/2", "remove a/b/TEMP", "syncdir a/b")
	_, err := d.Sum(t.Context(), "a/b/1")
	step("what is there is durable before it is described", err, "sync a/b/1", "syncdir a/b")
	step("delete", d.Delete(t.Context(), "a/b/1"), "remove a/b/1", "syncdir a/b")
	step("delete again", d.Delete(t.Context(), "a/b/1"), "syncdir a/b")
	if err := archivetest.Put(d, "a/b/2", nil); !errors.Is(err, target.ErrExists) {
		t.Error(err)
	}
	step("put again", nil)
	step("probe", d.Probe(t.Context()),
		"create TEMP", "write TEMP 0+1", "chmod TEMP 0400", "sync TEMP", "link TEMP TEMP", "remove TEMP", "syncdir .",
		"create TEMP", "write TEMP 0+1", "chmod TEMP 0400", "sync TEMP", "link TEMP TEMP: file exists", "remove TEMP",
		"remove TEMP")
}

// Another process may have made the folders, and the object, and been killed
// before it synced them.
func TestDirSyncsWhatOthersMade(t *testing.T) {
	disk := crashfs.New()
	testkit.Must(t, archivetest.Put(dir.OpenFS(disk, ""), "a/b/1", []byte("one")))
	var got []string
	d := dir.OpenFS(traced(disk, &got), "")
	_, err := d.Sum(t.Context(), "a/b/1")
	testkit.Must(t, err)
	if want := []string{"sync a/b/1", "syncdir ..", "syncdir .", "syncdir a", "syncdir a/b"}; !slices.Equal(got, want) {
		t.Errorf("Sum: %q", got)
	}
	got = nil
	testkit.Must(t, archivetest.Put(dir.OpenFS(traced(disk, &got), ""), "a/b/2", nil))
	if want := []string{"syncdir ..", "mkdir a", "syncdir .", "mkdir a/b", "syncdir a"}; !slices.Equal(got[:5], want) {
		t.Errorf("Put: %q", got)
	}
}

func TestDirThatIsAbsent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mnt", "archive")
	if _, err := dir.Open(path, nil); !errors.Is(err, target.ErrNotExist) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "mount") {
		t.Errorf("absent: %v", err)
	}
	testkit.Must(t, os.WriteFile(filepath.Dir(path), nil, 0o600))
	if _, err := dir.Open(filepath.Dir(path), nil); err == nil {
		t.Error("a file is taken for a folder")
	}
	testkit.Must(t, os.Remove(filepath.Dir(path)))
	testkit.Must(t, os.Mkdir(filepath.Dir(path), 0o700))
	d, err := dir.Open(path, &dir.Options{Make: true})
	testkit.Must(t, err)
	testkit.Must(t, archivetest.Put(d, "a/b", []byte("x")))
	if d.URL() != "file://"+filepath.ToSlash(path) {
		t.Errorf("URL %s", d.URL())
	}
	// It goes away while it is open: nothing says that it is empty, nothing makes it anew.
	testkit.Must(t, os.Rename(path, path+".away"))
	var listErr error
	for _, listErr = range d.List(t.Context(), "", "") {
		continue
	}
	_, statErr := d.Stat(t.Context(), "a/b")
	for call, err := range map[string]error{"list": listErr, "stat": statErr, "put": archivetest.Put(d, "a/c", nil), "put elsewhere": archivetest.Put(d, "x/c", nil),
		"delete": d.Delete(t.Context(), "a/b"), "probe": d.Probe(t.Context())} {
		if !errors.Is(err, target.ErrNotExist) || !strings.Contains(err.Error(), "mount") {
			t.Errorf("%s: %v", call, err)
		}
	}
	// An empty folder in its place: no put succeeds before the caller could look.
	testkit.Must(t, os.Mkdir(path, 0o700))
	if err := archivetest.Put(d, "a/c", nil); !errors.Is(err, target.ErrNotExist) || !strings.Contains(err.Error(), "mounted") {
		t.Errorf("put into the empty folder: %v", err)
	}
	testkit.Must(t, archivetest.Put(d, "a/c", nil)) // who puts again means it
	testkit.Must(t, os.RemoveAll(path))
	testkit.Must(t, os.Rename(path+".away", path))
	testkit.Must(t, archivetest.Put(d, "a/c", nil))
}

func TestDirNames(t *testing.T) {
	dir := t.TempDir()
	testkit.Must(t, os.Mkdir(filepath.Join(dir, "in"), 0o700))
	d := archivetest.OpenDir(t, filepath.Join(dir, "in"))
	for _, name := range []string{"", ".", "..", "/", "/a", "a/", "a//b", "../x", "a/../../x", "a/./b", ".tmp-x", "a/.hidden", "a\\b", "a b", "a\x00b", "ä", "a:b", "a\nb", strings.Repeat("x", 300)} {
		_, stat := d.Stat(t.Context(), name)
		_, sum := d.Sum(t.Context(), name)
		_, open := d.Open(t.Context(), name, 0, -1)
		for call, err := range map[string]error{"put": archivetest.Put(d, name, nil), "stat": stat, "sum": sum, "open": open, "delete": d.Delete(t.Context(), name)} {
			if err == nil || !strings.Contains(err.Error(), "not the name of an object") {
				t.Errorf("%s %q: %v", call, name, err)
			}
		}
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
		t.Errorf("beside the target are %v, %v", list, err)
	}
}

// What others keep in the folder is neither listed nor followed nor removed.
func TestDirLeavesOthersAlone(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	d := archivetest.OpenDir(t, dir)
	testkit.Must(t, archivetest.Put(d, "a/b", []byte("ours")))
	for _, name := range []string{"lost+found", ".snapshot", "My Photos"} {
		testkit.Must(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		testkit.Must(t, os.WriteFile(filepath.Join(dir, name, "file"), nil, 0o600))
	}
	testkit.Must(t, os.WriteFile(filepath.Join(outside, "file"), []byte("theirs"), 0o600))
	testkit.Must(t, os.Symlink(outside, filepath.Join(dir, "out")))
	testkit.Must(t, os.Symlink(filepath.Join(outside, "file"), filepath.Join(dir, "a", "link")))
	if names := archivetest.Listed(t, d); !slices.Equal(names, []string{"a/b"}) {
		t.Errorf("listed are %q", names)
	}
	for _, name := range []string{"out/file", "a/link"} {
		if _, err := d.Sum(t.Context(), name); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	if err := archivetest.Put(d, "out/new", nil); err == nil {
		t.Error("put through a link")
	}
	if err := archivetest.Put(d, "a/link", nil); !errors.Is(err, target.ErrExists) {
		t.Errorf("put over a link: %v", err)
	}
	testkit.Must(t, d.Probe(t.Context()))
	if err := d.Delete(t.Context(), "out/file"); err == nil {
		t.Error("deleted through a link")
	}
	if b, err := os.ReadFile(filepath.Join(outside, "file")); err != nil || string(b) != "theirs" {
		t.Errorf("outside: %q, %v", b, err)
	}
}

func TestDirObjectsAreReadOnly(t *testing.T) {
	dir := t.TempDir()
	testkit.Must(t, archivetest.Put(archivetest.OpenDir(t, dir), "a/b", []byte("x")))
	for name, want := range map[string]fs.FileMode{"a": 0o700, "a/b": 0o400} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

// A killed writer's temporaries are not listed; a probe removes the old ones.
func TestDirTemporaries(t *testing.T) {
	dir := t.TempDir()
	d := archivetest.OpenDir(t, dir)
	testkit.Must(t, archivetest.Put(d, "a/b/c", nil))
	for i, name := range []string{".tmp-old", "a/b/.tmp-old", ".tmp-new", "a/b/.tmp-new"} {
		path := filepath.Join(dir, name)
		testkit.Must(t, os.WriteFile(path, []byte("part"), 0o400))
		if i < 2 {
			testkit.Must(t, os.Chtimes(path, time.Time{}, time.Now().Add(-25*time.Hour)))
		}
	}
	if names := archivetest.Listed(t, d); !slices.Equal(names, []string{"a/b/c"}) {
		t.Errorf("listed are %q", names)
	}
	ended := exec.Command("true") // a process that is there no more
	testkit.Must(t, ended.Run())
	for name, pid := range map[string]int{"a/b/" + statefile.TempOf(ended.Process.Pid): -1, statefile.TempOf(os.Getppid()): 1} {
		path := filepath.Join(dir, name)
		testkit.Must(t, os.WriteFile(path, []byte("part"), 0o400))
		defer func() {
			if _, err := os.Stat(path); (err == nil) != (pid > 0) {
				t.Errorf("%s, whose writer runs %v: %v", name, pid > 0, err)
			}
		}()
	}
	testkit.Must(t, d.Probe(t.Context()))
	for name, want := range map[string]bool{".tmp-old": false, "a/b/.tmp-old": false, ".tmp-new": true, "a/b/.tmp-new": true} {
		if _, err := os.Stat(filepath.Join(dir, name)); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDirFull(t *testing.T) {
	for _, room := range []int64{0, 1, 100_000} {
		disk := crashfs.New()
		d := dir.OpenFS(disk, "")
		disk.SetFree(room)
		err := archivetest.Put(d, "a/b", make([]byte, 200_000))
		if !errors.Is(err, target.ErrFull) || !strings.Contains(err.Error(), "a/b") || !strings.Contains(err.Error(), "make room") {
			t.Errorf("room for %d bytes: %v", room, err)
		}
		if err := d.Probe(t.Context()); (room < 2) != errors.Is(err, target.ErrFull) {
			t.Errorf("room for %d bytes: probe: %v", room, err)
		}
		if names := disk.Names(); len(names) > 0 {
			t.Errorf("room for %d bytes: left %q", room, names)
		}
		disk.SetFree(-1)
		testkit.Must(t, archivetest.Put(d, "a/b", make([]byte, 200_000)))
	}
}

func TestDirWithoutHardLinks(t *testing.T) {
	disk := crashfs.New()
	disk.Fail(crashfs.FailNth(1, vfs.ErrUnsupported, false, crashfs.OpLink))
	d := dir.OpenFS(disk, "")
	for call, err := range map[string]error{"put": archivetest.Put(d, "a", nil), "probe": d.Probe(t.Context())} {
		if !errors.Is(err, target.ErrUnconditional) || !strings.Contains(err.Error(), "use another file system") {
			t.Errorf("%s: %v", call, err)
		}
	}
}

// lostAnswers makes each link, and answers that the name was there, as NFS
// does where the first answer is lost.
type lostAnswers struct{ vfs.FS }

func (l lostAnswers) Link(oldname, newname string) error {
	return errors.Join(l.FS.Link(oldname, newname), &os.LinkError{Op: "link", Old: oldname, New: newname, Err: syscall.EEXIST})
}

func TestDirLinkWhoseAnswerIsLost(t *testing.T) {
	disk := crashfs.New()
	d := dir.OpenFS(lostAnswers{disk}, "")
	testkit.Must(t, archivetest.Put(d, "a/b", []byte("x")))
	disk.SetBytes("a/c", []byte("y"))
	if err := archivetest.Put(d, "a/c", []byte("y")); !errors.Is(err, target.ErrExists) {
		t.Errorf("what another put: %v", err)
	}
	if want := []string{"a/b", "a/c"}; !slices.Equal(disk.Names(), want) {
		t.Errorf("left %q", disk.Names())
	}
}

// A link over which two race is decided by the file system, not by the look
// before it.
func TestDirRaceAfterTheLook(t *testing.T) {
	disk := crashfs.New()
	d := dir.OpenFS(disk, "")
	disk.Fail(func(op crashfs.Op) error {
		if op.Kind == crashfs.OpLink {
			disk.SetBytes("a/b", []byte("the other's"))
		}
		return nil
	})
	if err := archivetest.Put(d, "a/b", []byte("ours")); !errors.Is(err, target.ErrExists) {
		t.Errorf("put: %v", err)
	}
	if got := disk.Bytes("a/b"); string(got) != "the other's" || len(disk.Names()) != 1 {
		t.Errorf("holds %q, names %q", got, disk.Names())
	}
}

// cancelling is a source that cancels when it is read first, and counts.
type cancelling struct {
	cancel context.CancelFunc
	reads  int
}

func (c *cancelling) ReadAt(p []byte, _ int64) (int, error) {
	c.cancel()
	c.reads++
	return len(p), nil
}

func TestDirPutEndsEarly(t *testing.T) {
	disk := crashfs.New()
	ctx, cancel := context.WithCancel(t.Context())
	source := &cancelling{cancel: cancel}
	err := dir.OpenFS(disk, "").Put(ctx, "a", source, 1<<30, [32]byte{})
	if !errors.Is(err, context.Canceled) || source.reads != 1 || len(disk.Names()) > 0 {
		t.Errorf("%v after %d reads, left %q", err, source.reads, disk.Names())
	}
}
