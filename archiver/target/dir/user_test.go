//go:build unix

package dir_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/varve-db/varve/archiver/internal/archivetest"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/archiver/target/dir"
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/testkit"
)

// childDir names the folder to the child of TestDirPlainUser.
const childDir = "VARVE_TEST_PLAIN_USER"

// TestDirPlainUser runs as a user whom the modes of files bind.
func TestDirPlainUser(t *testing.T) {
	const nobody = 65534
	if dir := os.Getenv(childDir); dir != "" {
		plainUser(t, dir)
		return
	}
	dir, err := os.MkdirTemp("/tmp", "varve-plain-user-")
	testkit.Must(t, err)
	t.Cleanup(func() {
		testkit.Must(t, os.Chmod(dir+"/readonly", 0o700))
		testkit.Must(t, os.RemoveAll(dir))
	})
	for _, name := range []string{"readonly", "others"} {
		testkit.Must(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		testkit.Must(t, archivetest.Put(archivetest.OpenDir(t, filepath.Join(dir, name)), "a", []byte("x")))
	}
	if os.Getuid() == 0 {
		for _, name := range []string{"", "readonly", "readonly/a"} {
			testkit.Must(t, os.Chown(filepath.Join(dir, name), nobody, nobody))
		}
	}
	testkit.Must(t, os.Chmod(dir+"/readonly", 0o500))
	if os.Getuid() != 0 {
		plainUser(t, dir)
		return
	}
	const self = "/proc/self/exe" // may be run where the path may not be searched
	if _, err := os.Stat(self); err != nil {
		t.Skip("starts itself as another user: needs /proc")
	}
	cmd := exec.Command(self, "-test.run=^TestDirPlainUser$", "-test.v")
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS: TestDirPlainUser") {
		t.Errorf("as user %d: %v\n%s", nobody, err, out)
	}
}

func plainUser(t *testing.T, dir string) {
	denied := func(call string, err error) {
		t.Helper()
		if !errors.Is(err, target.ErrDenied) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), fmt.Sprintf("user %d needs", os.Getuid())) {
			t.Errorf("%s: %v", call, err)
		}
	}
	d := archivetest.OpenDir(t, dir+"/readonly")
	denied("put", archivetest.Put(d, "b", nil))
	denied("put into a folder", archivetest.Put(d, "b/c", nil))
	denied("delete", d.Delete(t.Context(), "a"))
	denied("probe", d.Probe(t.Context()))
	_, err := target.Init(t.Context(), d)
	denied("init", err)
	if err := archivetest.Put(d, "a", []byte("x")); !errors.Is(err, target.ErrExists) {
		t.Errorf("put of what is there: %v", err)
	}
	if info, err := d.Sum(t.Context(), "a"); err != nil || info.Size != 1 {
		t.Errorf("what may be read: %+v, %v", info, err)
	}
	if names := archivetest.Listed(t, d); len(names) != 1 {
		t.Errorf("listed are %q", names)
	}
	if _, err := os.ReadDir(dir + "/others"); err == nil {
		return // not run by root: there are no others
	}
	d = archivetest.OpenDir(t, dir+"/others")
	_, err = d.Stat(t.Context(), "a")
	denied("stat in another's folder", err)
	for _, err = range d.List(t.Context(), "", "") {
		continue
	}
	denied("list of another's folder", err)
}

// Denied is, too, what a file system mounted read-only answers.
func TestDirMountedReadOnly(t *testing.T) {
	disk := crashfs.New()
	disk.Fail(crashfs.FailNth(1, syscall.EROFS, false, crashfs.OpCreate, crashfs.OpMkdir, crashfs.OpRemove))
	d := dir.OpenFS(disk, "")
	disk.SetBytes("there", nil)
	for call, err := range map[string]error{"put": archivetest.Put(d, "a", nil), "put into a folder": archivetest.Put(d, "a/b", nil), "delete": d.Delete(t.Context(), "there"), "probe": d.Probe(t.Context())} {
		if !errors.Is(err, target.ErrDenied) || !strings.Contains(err.Error(), "mounted for writing") {
			t.Errorf("%s: %v", call, err)
		}
	}
}

func TestSameFileSystem(t *testing.T) {
	folder := t.TempDir()
	testkit.Must(t, os.Mkdir(folder+"/a", 0o700))
	if same, err := dir.SameFileSystem(folder, folder+"/a"); !same || err != nil {
		t.Errorf("a folder and one in it: %v, %v", same, err)
	}
	if _, err := os.Stat("/proc/self"); err == nil {
		if same, err := dir.SameFileSystem(folder, "/proc"); same || err != nil {
			t.Errorf("a folder and /proc: %v, %v", same, err)
		}
	}
	if _, err := dir.SameFileSystem(folder, folder+"/absent"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
}
