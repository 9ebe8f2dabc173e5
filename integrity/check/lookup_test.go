package check

import (
	"errors"
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// asked is an error that counts how often it is asked what it is.
type asked struct{ n *int }

func (a *asked) Error() string   { return "asked" }
func (a *asked) Is(error) bool   { *a.n++; return false }
func (a *asked) As(any) bool     { *a.n++; return false }
func (a *asked) Unwrap() []error { *a.n++; return nil }

// TestCheckOfManyUnreadableFiles counts how often the errors of files that cannot be judged are
// looked at: as often for each, whether there are few of them or many. Each file has its finding,
// with the segment of the set that it is.
func TestCheckOfManyUnreadableFiles(t *testing.T) {
	var each [2]int
	for i, n := range []int{20, 400} {
		asks := 0
		c := &checker{fs: vfs.FromFS(fstest.MapFS{}), s: &integrity.Inventory{}, st: &integrity.State{}, rep: &Report{}}
		var live, gone []segment.Ref
		for j := range n {
			ref := segment.Ref{Timeline: 7, ID: segment.ID(j + 1)}
			live = append(live, ref)
			if j%2 == 0 {
				gone = append(gone, ref)
				continue
			}
			e := &integrity.Entry{Name: ref.ID.String() + ".seg", ID: ref.ID, Sealed: true, Err: &asked{&asks}}
			c.s.Unread = append(c.s.Unread, e)
			c.s.Problems = append(c.s.Problems, segment.InFile(e.Name, e.Err))
		}
		c.setLive(segment.SetOf(live...))
		for _, err := range c.s.Problems {
			c.problem(err)
		}
		c.missing(live)
		each[i] = asks / len(c.s.Problems)
		for j := range c.rep.Findings {
			f := &c.rep.Findings[j]
			if ref := f.Segment; f.File != ref.ID.String()+".seg" || ref.Timeline != 7 || (f.Kind == integrity.Missing) != (ref.ID%2 == 1) {
				t.Errorf("of %d: %+v", n, f)
			}
		}
		if len(c.rep.Findings) != n || len(gone) != n/2 {
			t.Errorf("%d findings of %d files", len(c.rep.Findings), n)
		}
	}
	if each[0] != each[1] || each[0] == 0 {
		t.Errorf("each error was looked at %d times where there are 20, and %d times where there are 400", each[0], each[1])
	}
}

// TestErrorsAreFoundByWhatTheyAre: also behind the name of a file, and damage by itself alone.
func TestErrorsAreFoundByWhatTheyAre(t *testing.T) {
	bad := &segment.CorruptError{Reason: "x"}
	plain := errors.New("y")
	a, b, none := &integrity.Entry{ID: 1, Err: bad}, &integrity.Entry{ID: 2, Err: plain}, &integrity.Entry{ID: 3}
	u := unclearOf(&integrity.Inventory{Bare: []*integrity.Entry{a, none}, Unread: []*integrity.Entry{b}})
	for err, want := range map[error]*integrity.Entry{bad: a, plain: b, fmt.Errorf("f: %w", bad): a, fmt.Errorf("f: %w", plain): b,
		&segment.CorruptError{Reason: "x"}: nil, errors.New("y"): nil} {
		if got := u.about(err); got != want {
			t.Errorf("%v: %+v; want %+v", err, got, want)
		}
	}
}
