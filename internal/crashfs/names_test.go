package crashfs

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
)

// TestNoFileIsLostOrDoubled makes random changes of names and looks at every
// kind of state: a file has at most one name, and one that had a durable name,
// and was neither removed nor replaced since, has exactly one.
func TestNoFileIsLostOrDoubled(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 0))
		fsys := []*FS{New(), NewUnsynced()}[seed%2]
		for range 30 {
			randomChange(rng, fsys)
			each(fsys, 1, func(s State, c *FS) {
				checkNames(t, fsys, c, seed, s)
			})
		}
	}
}

func randomChange(rng *rand.Rand, fsys *FS) {
	names := []string{"a", "b", "c", "d/a", "d/b", "e/a", "d/e/a"}
	name, to := names[rng.IntN(len(names))], names[rng.IntN(len(names))]
	dirs := []string{".", "d", "e", "d/e"}
	dir, other := dirs[rng.IntN(4)], dirs[rng.IntN(4)]
	switch rng.IntN(10) { // what cannot be done is an error, and no change
	case 0, 1:
		_, _ = fsys.Create(name)
	case 2, 3:
		_ = fsys.Rename(name, to)
	case 4:
		_ = fsys.Remove(name)
	case 5:
		_ = fsys.SyncDir(dir)
	case 6:
		_ = fsys.Mkdir(dir)
	case 7:
		_ = fsys.Remove(dir)
	case 8:
		_ = fsys.Rename(dir, other)
	case 9:
		if rng.IntN(4) == 0 {
			_ = fsys.SyncOwnName()
		}
	}
}

// TestTheFolderItselfIsLost: without a sync of its own name a folder may be gone,
// with all that was synced in it, and can be made again.
func TestTheFolderItselfIsLost(t *testing.T) {
	for name, sync := range map[string]func(*FS) error{
		"sync":  (*FS).SyncOwnName,
		"mkdir": func(f *FS) error { return f.Mkdir(".") },
	} {
		fsys := NewUnsynced()
		must(t, durable(t, fsys, "a", []byte("content")).Close())
		seen := map[bool]bool{}
		each(fsys, 1, func(_ State, c *FS) {
			_, err := c.Stat(".")
			if seen[err == nil] = true; err == nil {
				return
			}
			if _, err := c.Create("a"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("create in a folder that is lost: %v", err)
			}
			must(t, c.Mkdir("."))
			if len(c.Names()) != 0 {
				t.Errorf("made again, it holds %q", c.Names())
			}
			if _, err := c.Crash(1, Kind{}).Stat("."); err != nil {
				t.Errorf("made again, and lost: %v", err)
			}
		})
		if !seen[true] || !seen[false] {
			t.Errorf("%s: states with the folder and without: %v", name, seen)
		}
		must(t, sync(fsys))
		each(fsys, 1, func(s State, c *FS) {
			if string(c.Bytes("a")) != "content" {
				t.Errorf("%s, %v: the file is lost", name, s)
			}
		})
	}
}

// TestRenamedFolder: what is in a folder is found under its old name or its new one,
// and is made durable by a sync of the folder under any name.
func TestRenamedFolder(t *testing.T) {
	fsys := New()
	rec := fsys.Record()
	must(t, fsys.Mkdir("d"))
	must(t, fsys.SyncDir("."))
	must(t, durable(t, fsys, "d/a", []byte("content")).Close())
	must(t, fsys.Rename("d", "e"))
	must(t, create(t, fsys, "e/b").Close())
	must(t, fsys.SyncDir("e"))
	states := func() (seen []string) {
		each(rec.At(rec.Ops()), 1, func(_ State, c *FS) {
			if s := strings.Join(c.Names(), " "); !slices.Contains(seen, s) {
				seen = append(seen, s)
			}
		})
		slices.Sort(seen)
		return seen
	}
	if got := states(); !slices.Equal(got, []string{"d/a d/b", "e/a e/b"}) {
		t.Errorf("renamed: %q", got)
	}
	must(t, fsys.SyncDir("."))
	if got := states(); !slices.Equal(got, []string{"e/a e/b"}) {
		t.Errorf("synced: %q", got)
	}
	must(t, fsys.Mkdir("f"))
	for _, to := range []string{"f", "e", "e/x"} {
		if err := fsys.Rename("e", to); err == nil {
			t.Errorf("renamed to %s", to)
		}
	}
}

func checkNames(t *testing.T, fsys, c *FS, seed uint64, s State) {
	t.Helper()
	count := map[uint64]int{}
	for name, in := range c.tree.names {
		count[in.ino]++
		if !rooted(c.tree.names, name) {
			t.Errorf("seed %d, %v: %s is in no folder", seed, s, name)
		}
	}
	for ino, n := range count {
		if n > 1 {
			t.Errorf("seed %d, %v: file %d has %d names", seed, s, ino, n)
		}
	}
	_, disk := fsys.tree.after(make([]bool, len(fsys.tree.pending)))
	for name, in := range disk {
		if in.links > 0 && count[in.ino] != 1 {
			t.Errorf("seed %d, %v: file %d, durable as %s, is lost", seed, s, in.ino, name)
		}
	}
}

// rooted reports whether every folder above name is there.
func rooted(names map[string]*inode, name string) bool {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if in := names[dir]; in == nil || !in.dir {
			return false
		}
	}
	return true
}
