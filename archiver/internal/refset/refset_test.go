package refset

import (
	"slices"
	"testing"

	"github.com/varve-db/varve/segment"
	"pgregory.net/rapid"
)

// TestASetOfRunsIsASet holds Set to a map, over random sets.
func TestASetOfRunsIsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ref := rapid.Custom(func(t *rapid.T) segment.Ref {
			return segment.Ref{Timeline: segment.Timeline(rapid.IntRange(1, 3).Draw(t, "timeline")), ID: segment.ID(rapid.IntRange(1, 20).Draw(t, "id"))}
		})
		draw := func(name string) (*Set, map[segment.Ref]bool) {
			s, m := &Set{}, map[segment.Ref]bool{}
			for _, part := range rapid.SliceOfN(rapid.SliceOf(ref), 1, 3).Draw(t, name) {
				s.AddRefs(part)
				s.Normal() // at any moment
				for _, r := range part {
					m[r] = true
				}
			}
			return s, m
		}
		s, inS := draw("s")
		o, inO := draw("o")
		diff, union := s.Minus(o), OfRuns(s.Normal())
		union.AddAll(o)
		count := 0
		for tl := range 5 {
			for id := range 23 {
				r := segment.Ref{Timeline: segment.Timeline(tl), ID: segment.ID(id)}
				if s.Has(r) != inS[r] || diff.Has(r) != (inS[r] && !inO[r]) || union.Has(r) != (inS[r] || inO[r]) {
					t.Fatalf("%v: set %v, difference %v, union %v; in s %v, in o %v", r, s.Has(r), diff.Has(r), union.Has(r), inS[r], inO[r])
				}
				if union.Has(r) {
					count++
				}
			}
		}
		if got := len(slices.Collect(union.Refs())); got != count || union.Len() != count {
			t.Fatalf("the union yields %d and says %d, want %d", got, union.Len(), count)
		}
		for _, x := range []*Set{s, o, diff, union} {
			if err := CheckRuns(x.Normal()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestRunsThatCannotBeAreRefused is a table of runs that no set returns.
func TestRunsThatCannotBeAreRefused(t *testing.T) {
	run := func(timeline segment.Timeline, first segment.ID, count uint64) segment.Run {
		return segment.Run{Timeline: timeline, First: first, Count: count}
	}
	for name, runs := range map[string][]segment.Run{
		"no timeline":      {run(0, 1, 1)},
		"no id":            {run(1, 0, 1)},
		"no segment":       {run(1, 1, 0)},
		"too many":         {run(1, 1, maxRunRefs+1)},
		"too many in all":  {run(1, 1, maxRunRefs), run(2, 1, 1)},
		"ids run over":     {run(1, 1<<64-2, 9)},
		"out of order":     {run(2, 1, 1), run(1, 1, 1)},
		"twice":            {run(1, 1, 5), run(1, 3, 5)},
		"could be one run": {run(1, 1, 5), run(1, 6, 5)},
	} {
		if err := CheckRuns(runs); err == nil {
			t.Errorf("%s: %v is taken", name, runs)
		}
	}
}
