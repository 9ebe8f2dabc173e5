package archive

import (
	"testing"

	"github.com/varve-db/varve/segment"
)

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
