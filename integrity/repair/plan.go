package repair

import (
	"slices"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/segment"
)

// Action is what a step of a plan does. The values are part of the JSON output of
// repair.
type Action string

// The actions of a plan. Nothing is ever deleted: a file that is replaced goes to the folder
// quarantine.
const (
	// TakeCopy puts a file of another copy in place, byte for byte.
	TakeCopy Action = "take copy"

	// JoinCopy puts in place the bytes that another copy has of the segment, followed by the bytes
	// that only the store's own file has.
	JoinCopy Action = "join copy"

	// RebuildTable writes a segment anew from its records, which are sound.
	RebuildTable Action = "rebuild table"

	// Rename gives a sound file the name of the segment that it is.
	Rename Action = "rename"

	// SetAside moves a file that the store has no use for to quarantine.
	SetAside Action = "set aside"

	// SetMode gives a file the mode that it should have.
	SetMode Action = "set mode"

	// CutTail cuts the torn tail of the newest log. An open of the store for writing does that, by
	// copy. Run leaves it to the caller.
	CutTail Action = "cut torn tail"
)

// Step is one step of a plan.
type Step struct {
	Action  Action      `json:"action"`
	File    string      `json:"file"`             // the file that is wrong; empty: none is there
	To      string      `json:"to,omitempty"`     // the file that will be there, where it is another
	Segment segment.Ref `json:"segment,omitzero"` // as far as it is known
	Reason  string      `json:"reason"`           // what is wrong
	Source  string      `json:"source,omitempty"` // where the bytes come from
	Kept    string      `json:"kept,omitempty"`   // what became of the old file, once the step is done
	Done    bool        `json:"done"`             // of a plan alone, nothing is
	new     *content    // what is put in place; of Rename and SetMode, what is there
}

// target is the name that the step's file will have.
func (s *Step) target() string {
	if s.To != "" {
		return s.To
	}
	return s.File
}

// Plan is what a repair does, or would do. After its steps the store holds all that is not in Left.
type Plan struct {
	Path  string              `json:"path"`
	UUID  segment.UUID        `json:"uuid"`
	From  string              `json:"from"`  // the other copy; empty: none
	Files int                 `json:"files"` // that were read in full
	Bytes int64               `json:"bytes"`
	Steps []Step              `json:"steps"`
	Left  []integrity.Finding `json:"left"`  // what cannot be healed with what is at hand; Next says with what it can
	Notes []integrity.Note    `json:"notes"` // what is worth knowing and not wrong

	view *view
}

// Torn reports whether a step is left to an open of the store for writing.
func (p *Plan) Torn() bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Action == CutTail })
}
