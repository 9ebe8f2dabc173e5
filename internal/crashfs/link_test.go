package crashfs

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestLinkIsDurableWithItsFolder: every state after the power cut has the file
// under its old name, or under the new one once that folder was synced.
func TestLinkIsDurableWithItsFolder(t *testing.T) {
	fsys := New()
	must(t, fsys.Mkdir("d"))
	must(t, durable(t, fsys, "a", []byte("content")).Close())
	must(t, fsys.Link("a", "d/b"))
	states := func() (seen []string) {
		each(fsys, 1, func(_ State, c *FS) {
			for _, name := range c.Names() {
				if string(c.Bytes(name)) != "content" {
					t.Errorf("%s holds %q", name, c.Bytes(name))
				}
			}
			if s := strings.Join(c.Names(), " "); !slices.Contains(seen, s) {
				seen = append(seen, s)
			}
		})
		slices.Sort(seen)
		return seen
	}
	if got := states(); !slices.Equal(got, []string{"a", "a d/b"}) {
		t.Errorf("linked: %q", got)
	}
	must(t, fsys.SyncDir("d"))
	if got := states(); !slices.Equal(got, []string{"a d/b"}) {
		t.Errorf("synced: %q", got)
	}
	must(t, fsys.Remove("a"))
	if got := states(); !slices.Equal(got, []string{"a d/b", "d/b"}) {
		t.Errorf("the old name removed: %q", got)
	}
}

// The two names lie in one folder and are changed by themselves: until it is
// synced the file may have both, either, or none.
func TestLinkAndRemoveAreKeptApart(t *testing.T) {
	fsys := New()
	must(t, durable(t, fsys, "a", []byte("content")).Close())
	must(t, fsys.Link("a", "b"))
	must(t, fsys.Remove("a"))
	seen := map[string]bool{}
	for seed := range uint64(50) {
		each(fsys, seed, func(_ State, c *FS) { seen[strings.Join(c.Names(), " ")] = true })
	}
	for _, want := range []string{"a b", "a", "b", ""} {
		if !seen[want] {
			t.Errorf("no state with %q", want)
		}
	}
	must(t, fsys.SyncDir("."))
	each(fsys, 1, func(s State, c *FS) {
		if !slices.Equal(c.Names(), []string{"b"}) {
			t.Errorf("synced, %v: %q", s, c.Names())
		}
	})
}

func TestLinkErrors(t *testing.T) {
	fsys := New()
	must(t, fsys.Mkdir("d"))
	must(t, create(t, fsys, "a").Close())
	for _, c := range []struct {
		from, to string
		want     error
	}{{"a", "a", fs.ErrExist}, {"a", "d", fs.ErrExist}, {"a", "x/a", fs.ErrNotExist}, {"x", "b", fs.ErrNotExist},
		{"d", "e", fs.ErrPermission}, {"a", "../a", fs.ErrInvalid}, {"", "b", fs.ErrInvalid}} {
		err := fsys.Link(c.from, c.to)
		if _, ok := errors.AsType[*os.LinkError](err); !ok || !errors.Is(err, c.want) {
			t.Errorf("link %s %s: %v, want %v", c.from, c.to, err, c.want)
		}
	}
}

func TestLinkedFileTakesRoomOnceAndUntilItsLastName(t *testing.T) {
	fsys := New()
	must(t, durable(t, fsys, "a", make([]byte, 1000)).Close())
	fsys.SetFree(500)
	must(t, fsys.Link("a", "b"))
	must(t, fsys.Rename("a", "b")) // two names of one file: nothing happens
	for i, want := range []int64{500, 500, 1500} {
		if i > 0 {
			must(t, fsys.Remove([]string{"a", "b"}[i-1]))
		}
		if n, err := fsys.Free(); err != nil || n != want {
			t.Errorf("%d names removed: %d free, want %d", i, n, want)
		}
	}
}

// A recording replays links, and a crash state goes on like any other.
func TestLinkIsRecorded(t *testing.T) {
	fsys := New()
	rec := fsys.Record()
	must(t, durable(t, fsys, "a", []byte("content")).Close())
	must(t, fsys.Link("a", "b"))
	must(t, fsys.SyncDir("."))
	if got := rec.Op(rec.Ops() - 1).String(); !strings.HasSuffix(got, "link a b") {
		t.Errorf("operation %q", got)
	}
	c := rec.At(rec.Ops()).Crash(1, Kind{})
	must(t, c.Remove("a"))
	must(t, c.SyncDir("."))
	if string(c.Bytes("b")) != "content" {
		t.Errorf("b holds %q", c.Bytes("b"))
	}
	c.SetFree(0)
	must(t, c.Remove("b"))
	if n, err := c.Free(); err != nil || n != 7 {
		t.Errorf("%d free, %v", n, err)
	}
}
