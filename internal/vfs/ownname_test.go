//go:build unix

package vfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestOwnName: a folder is made and its name synced, whatever it is called by; what
// cannot be made says why.
func TestOwnName(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	must(t, os.Mkdir("real", 0o700))
	must(t, os.Symlink("real", "link"))
	for _, name := range []string{".", "real", "real/.", "link", "new", filepath.Join(dir, "new"), "/"} {
		for _, fsys := range []FS{Dir(name), Root(name)} {
			if name != "/" {
				must(t, fsys.Mkdir("."))
			}
			must(t, fsys.SyncOwnName())
			if info, err := fsys.Stat("."); err != nil || !info.IsDir() {
				t.Errorf("%s: %v, %v", name, info, err)
			}
		}
	}
	if err := Dir("absent").SyncOwnName(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	must(t, os.WriteFile("file", nil, 0o600))
	if err := Dir("file").Mkdir("."); !errors.Is(err, fs.ErrExist) {
		t.Errorf("file: %v", err)
	}
	must(t, os.Symlink("/nowhere/at/all", "dangling"))
	for _, err := range []error{Dir("dangling").Mkdir("."), second(Dir("dangling").Stat("."))} {
		if !errors.Is(err, fs.ErrNotExist) || !errors.Is(err, ErrDangling) || !strings.Contains(err.Error(), "dangling: a symbolic link to what is not there") ||
			!strings.Contains(err.Error(), "it leads to /nowhere/at/all") {
			t.Errorf("dangling: %v", err)
		}
	}
	must(t, SyncAll("."))
}

// TestOwnNameBelowAFolderThatMayNotBeRead: a process that may not sync the folder above syncs
// the whole file system.
func TestOwnNameBelowAFolderThatMayNotBeRead(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "above", "store"), 0o700))
	must(t, os.Chmod(filepath.Join(dir, "above"), 0o100))
	defer os.Chmod(filepath.Join(dir, "above"), 0o700)
	must(t, Dir(filepath.Join(dir, "above", "store")).Mkdir("."))
}

func TestSub(t *testing.T) {
	dir := t.TempDir()
	var lines []string
	above := Trace(Dir(dir), func(line string) { lines = append(lines, line) })
	fsys := Sub(above, "new")
	if _, err := fsys.Stat("."); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	must(t, fsys.Mkdir("."))
	must(t, fsys.Mkdir("d"))
	write(t, fsys, "a", []byte("content"))
	must(t, fsys.Link("a", "d/b"))
	must(t, fsys.Rename("a", "c"))
	must(t, fsys.SyncDir("."))
	must(t, fsys.SyncDir("d"))
	must(t, fsys.SyncOwnName())
	lock, _, err := fsys.Lock("LOCK", "me")
	must(t, err)
	if held, err := fsys.Locked("LOCK"); err != nil || !held {
		t.Errorf("locked: %v, %v", held, err)
	}
	must(t, lock.Close())
	must(t, fsys.Remove("d/b"))
	f, err := fsys.OpenWrite("c")
	must(t, err)
	must(t, f.Close())
	want := []string{"mkdir new", "syncdir .", "mkdir new/d", "create new/a", "write new/a 0+7", "sync new/a", "link new/a new/d/b", "rename new/a new/c",
		"syncdir new", "syncdir new/d", "syncdir .", "lock new/LOCK", "unlock new/LOCK", "remove new/d/b"}
	if !slices.Equal(lines, want) {
		t.Errorf("done: %q", lines)
	}
	list, err := fsys.ReadDir(".")
	must(t, err)
	if len(list) != 3 || fsys.Path("c") != filepath.Join(dir, "new", "c") {
		t.Errorf("%v in %s", list, fsys.Path("."))
	}
	for _, name := range []string{"..", "../x", "", "/x"} {
		if _, err := fsys.Create(name); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestContent: what belongs to the volume is nobody's content; a file of that name is.
func TestContent(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "lost+found"), 0o700))
	list, err := os.ReadDir(dir)
	must(t, err)
	if got := Content(list); len(got) != 0 {
		t.Errorf("content: %v", got)
	}
	must(t, os.Mkdir(filepath.Join(dir, "photos"), 0o700))
	must(t, os.Remove(filepath.Join(dir, "lost+found")))
	must(t, os.WriteFile(filepath.Join(dir, "lost+found"), nil, 0o600))
	list, err = os.ReadDir(dir)
	must(t, err)
	if got := Content(list); len(got) != 2 {
		t.Errorf("content: %v", got)
	}
}
