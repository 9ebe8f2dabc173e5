package audit

import (
	"slices"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/internal/archivesim"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
)

// TestWhatARepairPutBackIsTakenOutOfPlansThatHaveBegun: a prune that was cut off while it
// deleted says of all that it planned that it is gone. A plan that waits says nothing, and
// stays as it is.
func TestWhatARepairPutBackIsTakenOutOfPlansThatHaveBegun(t *testing.T) {
	now := time.Unix(1.7e9, 0).UTC()
	target := archivesim.NewTarget(func() time.Time { return now })
	a := archivesim.Open(t, target)
	plan := func(begins bool, ids ...segment.ID) *archive.PrunePlan {
		p := &archive.PrunePlan{Store: archivesim.UUID, Made: now, Segments: segment.SetOf(archivesim.Refs(1, ids...)...).Runs()}
		testkit.Must(t, a.PutPlan(t.Context(), p))
		if begins {
			testkit.Must(t, target.Delete(t.Context(), p.Waiting()))
		}
		return p
	}
	some := plan(true, 1, 2, 3)
	plan(true, 4, 5)
	plan(false, 2, 6)
	target.Plant(t, archive.PlanName(archivesim.UUID, some.ID+3, "wait"), nil) // its writer was killed before the plan
	for range 2 {
		testkit.Must(t, takeUp(t.Context(), a, archivesim.UUID, segment.SetOf(archivesim.Refs(1, 2, 3, 4, 5)...)))
		plans, err := a.PrunePlans(t.Context(), archivesim.UUID)
		testkit.Must(t, err)
		gone, err := a.Begun(t.Context(), archivesim.UUID, plans, 0)
		testkit.Must(t, err)
		var waiting segment.Set
		for _, p := range plans {
			if p.Waits {
				waiting = waiting.Union(segment.SetOfRuns(p.Segments...))
			}
		}
		archivesim.EqualRefs(t, "begun", archivesim.SortedRefs(slices.Collect(gone.All())), archivesim.Refs(1, 1))
		archivesim.EqualRefs(t, "waiting", archivesim.SortedRefs(slices.Collect(waiting.All())), archivesim.Refs(1, 2, 6))
	}
}
