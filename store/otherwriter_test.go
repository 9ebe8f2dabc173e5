package store

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/varve-db/varve/internal/vfs"
)

// passing is a store whose newest log gets another name each time before it is
// opened, as beside a writer that rolls often, until it has done so for some time.
type passing struct {
	vfs.FS
	live bool
	left int
}

func (p *passing) Locked(string) (bool, error) { return p.live, nil }

func (p *passing) Open(name string) (vfs.File, error) {
	if strings.HasSuffix(name, ".open") && p.left > 0 {
		p.left--
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return p.FS.Open(name)
}

// TestFilesThatPassAreLookedForAgain opens a store for reading while files change
// their names: as long as it takes beside a writer, and not for ever without one.
func TestFilesThatPassAreLookedForAgain(t *testing.T) {
	h := newHurt(t, 31)
	for _, c := range []struct {
		live bool
		left int
		ok   bool
	}{{true, 12, true}, {true, 1000, false}, {false, 2, true}, {false, 12, false}} {
		r, err := openReader(&passing{h.fs.Copy(), c.live, c.left}, resolve(t, Options{}))
		if c.ok && err != nil || !c.ok && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%+v: %v", c, err)
		}
		if err == nil {
			mustClose(t, r)
		}
	}
}
