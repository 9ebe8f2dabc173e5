package archiver

import (
	"testing"
	"time"

	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
)

// TestWhatARepairPutBackIsTakenOutOfPlansThatHaveBegun: a prune that was cut off while it
// deleted says of all that it planned that it is gone. A plan that waits says nothing, and
// stays as it is.
func TestWhatARepairPutBackIsTakenOutOfPlansThatHaveBegun(t *testing.T) {
	now := time.Unix(1.7e9, 0).UTC()
	target := newSimTarget(func() time.Time { return now })
	a := simArchive(t, target)
	plan := func(begins bool, ids ...segment.ID) *prunePlan {
		p := &prunePlan{Store: simUUID, Made: now, Segments: setOf(simRefs(1, ids...)).normal()}
		testkit.Must(t, a.putPlan(t.Context(), p))
		if begins {
			testkit.Must(t, target.Delete(t.Context(), p.waiting()))
		}
		return p
	}
	some := plan(true, 1, 2, 3)
	plan(true, 4, 5)
	plan(false, 2, 6)
	target.put(t, planName(simUUID, some.ID+3, "wait"), nil) // its writer was killed before the plan
	for range 2 {
		testkit.Must(t, takeUp(t.Context(), a, simUUID, setOf(simRefs(1, 2, 3, 4, 5))))
		plans, err := a.prunePlans(t.Context(), simUUID)
		testkit.Must(t, err)
		gone, err := a.begun(t.Context(), simUUID, plans, 0)
		testkit.Must(t, err)
		waiting := &refSet{}
		for _, p := range plans {
			if p.waits {
				waiting.addRuns(p.Segments)
			}
		}
		waiting.normal()
		gone.normal()
		equalRefs(t, "begun", sortedRefs(collect(gone)), simRefs(1, 1))
		equalRefs(t, "waiting", sortedRefs(collect(waiting)), simRefs(1, 2, 6))
	}
}

func collect(s *refSet) (refs []segment.Ref) {
	for r := range s.refs() {
		refs = append(refs, r)
	}
	return refs
}
