package repair

import (
	"testing"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/segment"
)

// TestNothingIsLeftOfAFileThatAStepTakesAway: a file with several findings that is not in
// the view any more is neither healed nor left, and the list of what is left may be empty.
func TestNothingIsLeftOfAFileThatAStepTakesAway(t *testing.T) {
	p := &planner{view: newView(crashfs.New()), plan: &Plan{}, tried: map[string]bool{}, healed: map[string]bool{}}
	e := &integrity.Entry{Name: "00000000000000000001.seg", Header: &segment.Head{Ref: segment.Ref{Timeline: 1, ID: 1}}}
	j := &judgement{findings: []integrity.Finding{{Kind: integrity.Missing}, {Kind: integrity.Missing}}}
	if p.healFile(e, j, true) || len(p.plan.Left) != 0 {
		t.Errorf("healed, or left: %+v", p.plan.Left)
	}
}
