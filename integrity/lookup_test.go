package integrity

import (
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// TestOneSegmentIsFoundInAFewSteps counts the places that a search looks at: their number
// grows with that of the digits of the length, and the answer is that of a search through all.
func TestOneSegmentIsFoundInAFewSteps(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{0, 1, 2, 3, 100, 50_000} {
		var list refList
		for len(list) < n {
			list = append(list, segment.Ref{Timeline: segment.Timeline(1 + rng.IntN(3)), ID: segment.ID(1 + rng.IntN(n))})
		}
		slices.SortFunc(list, segment.Ref.Compare)
		for range 50 {
			ref := segment.Ref{Timeline: segment.Timeline(rng.IntN(5)), ID: segment.ID(rng.IntN(n + 2))}
			steps := 0
			i, found := searchRef(len(list), ref, func(i int) segment.Ref { steps++; return list[i] })
			if most := bits.Len(uint(n)) + 1; steps > most {
				t.Fatalf("seed 1: %d of %d places were looked at; want at most %d", steps, n, most)
			}
			if found != slices.Contains(list, ref) || found && list[i] != ref || list.has(ref) != found {
				t.Fatalf("seed 1: %v of %d: %d, %v", ref, n, i, found)
			}
			var want refList
			for _, r := range list {
				if r.ID == ref.ID {
					want = append(want, r)
				}
			}
			if got := list.ofID(ref.ID); !slices.Equal(got, want) {
				t.Fatalf("seed 1: of id %v of %d: %v; want %v", ref.ID, n, got, want)
			}
		}
	}
}

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
		c := &check{fs: vfs.FromFS(fstest.MapFS{}), s: &Survey{}, st: &Standing{}, rep: &Report{}}
		var live, gone []segment.Ref
		for j := range n {
			ref := segment.Ref{Timeline: 7, ID: segment.ID(j + 1)}
			live = append(live, ref)
			if j%2 == 0 {
				gone = append(gone, ref)
				continue
			}
			e := &Entry{Name: ref.ID.String() + ".seg", ID: ref.ID, Sealed: true, Err: &asked{&asks}}
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
			if ref := f.Segment; f.File != ref.ID.String()+".seg" || ref.Timeline != 7 || (f.Kind == Missing) != (ref.ID%2 == 1) {
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
	a, b, none := &Entry{ID: 1, Err: bad}, &Entry{ID: 2, Err: plain}, &Entry{ID: 3}
	u := (&Survey{Bare: []*Entry{a, none}, Unread: []*Entry{b}}).unclear()
	for err, want := range map[error]*Entry{bad: a, plain: b, fmt.Errorf("f: %w", bad): a, fmt.Errorf("f: %w", plain): b,
		&segment.CorruptError{Reason: "x"}: nil, errors.New("y"): nil} {
		if got := u.about(err); got != want {
			t.Errorf("%v: %+v; want %+v", err, got, want)
		}
	}
}
