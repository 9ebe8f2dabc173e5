package archiver

import (
	"slices"
	"testing"

	"github.com/varve-db/varve/segment"
	"pgregory.net/rapid"
)

// TestASetOfRunsIsASet holds refSet to a map, over random sets.
func TestASetOfRunsIsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ref := rapid.Custom(func(t *rapid.T) segment.Ref {
			return segment.Ref{Timeline: segment.Timeline(rapid.IntRange(1, 3).Draw(t, "timeline")), ID: segment.ID(rapid.IntRange(1, 20).Draw(t, "id"))}
		})
		draw := func(name string) (*refSet, map[segment.Ref]bool) {
			s, m := &refSet{}, map[segment.Ref]bool{}
			for _, part := range rapid.SliceOfN(rapid.SliceOf(ref), 1, 3).Draw(t, name) {
				s.addRefs(part)
				s.normal() // at any moment
				for _, r := range part {
					m[r] = true
				}
			}
			return s, m
		}
		s, inS := draw("s")
		o, inO := draw("o")
		diff, union := s.minus(o), setOfRuns(s.normal())
		union.addAll(o)
		count := 0
		for tl := range 5 {
			for id := range 23 {
				r := segment.Ref{Timeline: segment.Timeline(tl), ID: segment.ID(id)}
				if s.has(r) != inS[r] || diff.has(r) != (inS[r] && !inO[r]) || union.has(r) != (inS[r] || inO[r]) {
					t.Fatalf("%v: set %v, difference %v, union %v; in s %v, in o %v", r, s.has(r), diff.has(r), union.has(r), inS[r], inO[r])
				}
				if union.has(r) {
					count++
				}
			}
		}
		if got := len(slices.Collect(union.refs())); got != count || union.len() != count {
			t.Fatalf("the union yields %d and says %d, want %d", got, union.len(), count)
		}
		for _, x := range []*refSet{s, o, diff, union} {
			if err := checkRuns(x.normal()); err != nil {
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
		if err := checkRuns(runs); err == nil {
			t.Errorf("%s: %v is taken", name, runs)
		}
	}
}
