package archive

import (
	"cmp"
	"fmt"

	"github.com/varve-db/varve/segment"
)

// maxRunRefs bounds what the runs of one object stand for: what a live set may
// hold, so that a run cannot make a program take all memory.
const maxRunRefs = 1 << 22

// checkRuns returns an error unless runs are what Set.Runs returns.
func checkRuns(runs []segment.Run) error {
	var total uint64
	for i, r := range runs {
		total += r.Count
		if r.Timeline == 0 || r.First == 0 || r.Count == 0 || r.Count > maxRunRefs || total > maxRunRefs || r.Last() < r.First {
			return fmt.Errorf("run %d of segments, %v with %d, cannot be", i, segment.Ref{Timeline: r.Timeline, ID: r.First}, r.Count)
		}
		if i > 0 && (runOrder(runs[i-1], r) >= 0 || runs[i-1].Timeline == r.Timeline && runs[i-1].Last()+1 >= r.First) {
			return fmt.Errorf("run %d of segments, %v, is out of order", i, r)
		}
	}
	return nil
}

// runOrder orders runs by timeline, then by id.
func runOrder(a, b segment.Run) int {
	return cmp.Or(cmp.Compare(a.Timeline, b.Timeline), cmp.Compare(a.First, b.First))
}
