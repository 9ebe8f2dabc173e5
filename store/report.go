package store

import (
	"log/slog"
	"time"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/segment"
)

// OpenReport says what an open found and did.
type OpenReport struct {
	Path      string           `json:"path"`
	UUID      segment.UUID     `json:"uuid"`
	Timeline  segment.Timeline `json:"timeline"`
	Live      bool             `json:"live"`       // read beside a process that writes; only of a Reader
	Created   bool             `json:"created"`    // the store was made by this open
	Clean     bool             `json:"clean"`      // it had been closed in order
	Asked     integrity.Level  `json:"asked"`      // the level of the options
	Level     integrity.Level  `json:"level"`      // the level that was taken
	Objects   int64            `json:"objects"`    // keys in the index
	Segments  int              `json:"segments"`   // of the store, the newest log included
	LastSeq   uint64           `json:"last_seq"`   // of the newest object or deletion
	Phases    []Phase          `json:"phases"`     // in order; together they take what Took says
	Begun     *Begun           `json:"begun"`      // the timeline that was begun, or nil
	Cut       *Cut             `json:"cut"`        // what was cut off the newest log, or nil
	Sealed    []string         `json:"sealed"`     // logs whose seal a crash had interrupted
	Removed   []string         `json:"removed"`    // files without use: replaced logs, *.tmp, logs not begun
	LeftAlone []string         `json:"left_alone"` // files that are not of this store's making or set
	Notes     []string         `json:"notes"`      // whatever else should be known

	// Lost is the newest log, if that is not there: what was in it is missing, and an object
	// that is there may not be the newest version. Of a Reader, or with Options.AcceptLostLog.
	Lost *segment.Ref `json:"lost,omitempty"`

	// Clock tells where a clock ran ahead, so that commit times do not tell when commits
	// were made: in an archive of the store, sequence numbers name states there.
	Clock []segment.ClockJump `json:"clock,omitempty"`

	// Findings is what level Full found in a store that was opened all the same.
	Findings []integrity.Finding `json:"findings,omitempty"`

	Took time.Duration `json:"took_ns"`

	begun  time.Time
	phased time.Time // when the last phase ended
}

// Phase is one step of an open.
type Phase struct {
	Name    string        `json:"name"`
	Records int64         `json:"records"` // records, or entries of tables
	Bytes   int64         `json:"bytes"`   // read
	Took    time.Duration `json:"took_ns"`
}

// Begun tells of a timeline that an open began.
type Begun struct {
	Timeline  segment.Timeline `json:"timeline"`
	Parent    segment.Timeline `json:"parent"`
	ParentSeq uint64           `json:"parent_seq"` // the last sequence number taken over
	Why       string           `json:"why"`
}

// Cut tells of bytes at the end of the newest log that belonged to no whole
// batch: they were written, but nobody was told that they were safe.
type Cut struct {
	Segment segment.Ref `json:"segment"`
	Offset  int64       `json:"offset"` // in the old file
	Bytes   int64       `json:"bytes"`
	Reason  string      `json:"reason"`
	Kept    string      `json:"kept"` // the file that holds the bytes; empty for a read-only open
}

// begin begins the first phase.
func (r *OpenReport) begin() {
	r.begun = time.Now()
	r.phased = r.begun
}

// phase ends a step, which began where the one before ended: so none of an open is
// outside of all steps.
func (r *OpenReport) phase(name string, records, bytes int64) {
	now := time.Now()
	r.Phases = append(r.Phases, Phase{name, records, bytes, now.Sub(r.phased)})
	r.phased, r.Took = now, now.Sub(r.begun)
}

// log writes the report as one line for each thing that a person may have to know.
func (r *OpenReport) log(l *slog.Logger) {
	l.Info("store opened", "path", r.Path, "objects", r.Objects, "segments", r.Segments,
		"clean", r.Clean, "level", r.Level.String(), "took", r.Took)
	if r.Begun != nil {
		l.Info("timeline begun", "timeline", r.Begun.Timeline.String(), "parent", r.Begun.Parent.String(), "why", r.Begun.Why)
	}
	if r.Cut != nil {
		l.Warn("torn tail cut off", "segment", r.Cut.Segment.String(), "offset", r.Cut.Offset, "bytes", r.Cut.Bytes,
			"reason", r.Cut.Reason, "kept", r.Cut.Kept)
	}
	for i := range r.Clock {
		l.Warn(r.Clock[i].String(), "path", r.Path)
	}
	for _, n := range r.Notes {
		l.Warn(n, "path", r.Path)
	}
}
