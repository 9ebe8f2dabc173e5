package prune

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/varve-db/varve/segment"
)

// Explained says why the segments of a run are kept, or what becomes of them.
type Explained struct {
	segment.Run
	Bytes int64  `json:"bytes"`
	Keep  bool   `json:"keep"`
	Why   string `json:"why"`
}

// explain gives each segment that was there its first reason. It costs what the runs
// cost, not their segments times the backups.
func (p *pruner) explain() {
	rest := p.h.have
	tell := func(set segment.Set, keep bool, why string) {
		hit := rest.And(set)
		for _, r := range hit.Runs() {
			p.rep.Explain = append(p.rep.Explain, Explained{r, p.amount(segment.SetOfRuns(r)).Bytes, keep, why})
		}
		rest = rest.Minus(hit)
	}
	for _, c := range p.roots.list {
		tell(c.set, true, c.why)
	}
	did, will := "deleted", "can be deleted"
	if p.o.DryRun {
		did, will = "would be deleted", "could be deleted"
	}
	tell(p.spared, true, "not needed, but left alone: see the notes")
	tell(p.deleted, false, did)
	for _, plan := range p.plans {
		why := fmt.Sprintf("not needed since %s: deleted by the first prune after %s", plan.Made.Format(time.RFC3339), plan.Due(p.grace).Format(time.RFC3339))
		tell(segment.SetOfRuns(plan.Segments...), false, why)
	}
	tell(rest, false, fmt.Sprintf("not needed: %s by the first prune after %s", will, p.now.Add(p.grace).Format(time.RFC3339)))
	slices.SortFunc(p.rep.Explain, func(a, b Explained) int {
		return cmp.Or(cmp.Compare(a.Timeline, b.Timeline), cmp.Compare(a.First, b.First))
	})
}
