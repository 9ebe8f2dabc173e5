package check

import (
	"cmp"
	"slices"
	"time"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/segment"
)

// Report is what Run found out.
type Report struct {
	Path     string           `json:"path"`
	UUID     segment.UUID     `json:"uuid"`
	Timeline segment.Timeline `json:"timeline"` // of the newest log; zero if there is none that is sound
	Writer   bool             `json:"writer"`   // a process had the store open for writing
	Clean    bool             `json:"clean"`    // it had been closed in order
	Asked    integrity.Level  `json:"asked"`
	Level    integrity.Level  `json:"level"` // that was taken

	Segments int    `json:"segments"` // of the store, as its newest log says, that log included
	Files    int    `json:"files"`    // sealed segment files that there are, of the store or not any more
	Whole    int    `json:"whole"`    // of these, how many were read whole
	Records  int64  `json:"records"`  // of the newest log and of the segments that were read whole
	Bytes    int64  `json:"bytes"`    // that were read
	LastSeq  uint64 `json:"last_seq"` // of the newest object or deletion, where the newest log is sound

	Findings []integrity.Finding `json:"findings"` // by segment and offset
	Notes    []integrity.Note    `json:"notes"`

	// Seed is the one by which a sample was drawn, and Confidence what it says
	// if there are no findings; both absent unless all was asked to be read at Full.
	Seed       *uint64     `json:"seed,omitempty"`
	Confidence *Confidence `json:"confidence,omitempty"`

	Took time.Duration `json:"took_ns"`
}

// sorted orders the findings and drops those that say the same twice.
func sorted(list []integrity.Finding) []integrity.Finding {
	slices.SortStableFunc(list, func(a, b integrity.Finding) int {
		return cmp.Or(a.Segment.Compare(b.Segment), cmp.Compare(a.File, b.File), cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Kind, b.Kind))
	})
	return slices.CompactFunc(list, func(a, b integrity.Finding) bool {
		return a.Segment == b.Segment && a.File == b.File && a.Offset == b.Offset && a.Kind == b.Kind && a.Reason == b.Reason
	})
}

func (r *Report) find(f ...integrity.Finding) { r.Findings = append(r.Findings, f...) }

func (r *Report) note(file, text string) {
	r.Notes = append(r.Notes, integrity.Note{File: file, Text: text})
}
