//go:build unix

package vfs

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRootKeepsWithin: symbolic links of the folder's that lead out of it take
// nothing out, and bring nothing in.
func TestRootKeepsWithin(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "file"), []byte("theirs"), 0o600))
	must(t, os.Mkdir(filepath.Join(outside, "empty"), 0o700))
	must(t, os.Symlink(outside, filepath.Join(dir, "out")))
	must(t, os.Symlink("../"+filepath.Base(outside), filepath.Join(dir, "up")))
	fsys := Root(dir)
	write(t, fsys, "mine", []byte("x"))
	for _, link := range []string{"out", "up"} {
		for op, err := range map[string]error{
			"open":      second(fsys.Open(link + "/file")),
			"openwrite": second(fsys.OpenWrite(link + "/file")),
			"create":    second(fsys.Create(link + "/new")),
			"readdir":   second(fsys.ReadDir(link)),
			"stat":      second(fsys.Stat(link + "/file")),
			"rename":    fsys.Rename("mine", link+"/new"),
			"take":      fsys.Rename(link+"/file", "taken"),
			"link":      fsys.Link("mine", link+"/new"),
			"remove":    fsys.Remove(link + "/file"),
			"mkdir":     fsys.Mkdir(link + "/new"),
			"over":      fsys.Mkdir(link),
			"syncdir":   fsys.SyncDir(link),
		} {
			if err == nil || !strings.Contains(err.Error(), dir) {
				t.Errorf("%s through %s: %v", op, link, err)
			}
		}
	}
	list, err := os.ReadDir(outside)
	if err != nil || len(list) != 2 {
		t.Errorf("outside are %v, %v", list, err)
	}
}

// A link may be the folder itself, and the folder may go and come back.
func TestRootFollowsItsPath(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	must(t, os.Mkdir(filepath.Join(dir, "disk"), 0o700))
	must(t, os.Symlink("disk", link))
	fsys := Root(link)
	write(t, fsys, "a", []byte("x"))
	must(t, os.Rename(filepath.Join(dir, "disk"), filepath.Join(dir, "away")))
	if _, err := fsys.Stat("."); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("away: %v", err)
	}
	must(t, os.Rename(filepath.Join(dir, "away"), filepath.Join(dir, "disk")))
	if _, err := fsys.Stat("a"); err != nil {
		t.Errorf("back: %v", err)
	}
	list, err := fsys.ReadDir(".")
	must(t, err)
	if info, err := list[0].Info(); err != nil || info.Size() != 1 {
		t.Errorf("listed: %v, %v", info, err)
	}
}

// What Dir promises of names, of what is not a file, and of paths in errors.
func TestRootIsLikeDir(t *testing.T) {
	dir := t.TempDir()
	fsys := Root(dir)
	write(t, fsys, "file", bytes.Repeat([]byte("x"), 10))
	must(t, fsys.Mkdir("d"))
	must(t, fsys.Mkdir("d"))
	must(t, os.Symlink("file", filepath.Join(dir, "link")))
	for _, name := range []string{"d", "link"} {
		if err := second(fsys.Open(name)); !errors.Is(err, ErrNotRegular) || !strings.Contains(err.Error(), filepath.Join(dir, name)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"", "..", "../x", "/x", "a/../b"} {
		for _, err := range []error{second(fsys.Open(name)), second(fsys.Create(name)), second(fsys.ReadDir(name)), second(fsys.Stat(name)),
			fsys.Rename(name, "ok"), fsys.Rename("file", name), fsys.Link("file", name), fsys.Link(name, "ok"), fsys.Remove(name), fsys.Mkdir(name), fsys.SyncDir(name)} {
			if !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("%q: %v", name, err)
			}
		}
	}
	for op, err := range map[string]error{"open": second(fsys.Open("d/no")), "remove": fsys.Remove("d/no"), "link": fsys.Link("d/no", "e"), "rename": fsys.Rename("d/no", "e")} {
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), filepath.Join(dir, "d/no")) {
			t.Errorf("%s: %v", op, err)
		}
	}
}
