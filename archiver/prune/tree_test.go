package prune

import (
	"testing"
	"time"

	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/internal/archivesim"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
)

// newestOf plans the newest state, and expects it on a timeline.
func (s *pruneScene) newestOf(want segment.Timeline) *history.Plan {
	s.t.Helper()
	p, err := history.At(s.t.Context(), s.a, archivesim.UUID, history.Point{})
	testkit.Must(s.t, err)
	if p.Timeline != want {
		s.t.Fatalf("the newest state is on timeline %v, want %v", p.Timeline, want)
	}
	return p
}

// TestATimelineWithOutputsOnlyIsBridged has a timeline end by a crash after it shipped
// an output, which nobody had adopted, and before it had a log to ship.
func TestATimelineWithOutputsOnlyIsBridged(t *testing.T) {
	s := newPruneScene(t)
	w := s.w.Crash(2, s.now)
	w.Compact(archivesim.Refs(1, 4), s.now)
	s.ship(w)
	s.w = w.Crash(3, s.now)
	s.roll()
	s.newestOf(3)
	for seq := uint64(1); seq <= 9; seq++ {
		if _, err := history.At(t.Context(), s.a, archivesim.UUID, history.Point{Seq: seq}); err != nil {
			t.Errorf("number %d: %v", seq, err)
		}
	}
}

// TestATipThatWasGivenUpIsNoChoice keeps a part of it by a backup.
func TestATipThatWasGivenUpIsNoChoice(t *testing.T) {
	s := newPruneScene(t)
	other := s.w.Restored(6, 2, 20, s.now) // after log 7
	for range 2 {
		other.Puts++
		other.Roll(s.now)
	}
	s.ship(other)
	b := s.backup(append(archivesim.Refs(1, 4, 5, 6, 7), archivesim.Refs(2, 20)...)...)
	for range 2 {
		s.prune(Options{Policy: Policy{DropTips: []segment.Timeline{2}}, Grace: -1})
		s.now = s.now.Add(time.Hour)
	}
	archivesim.EqualRefs(t, "with the backup", s.there(), append(archivesim.Refs(1, 4, 5, 6, 7, 8, 9), archivesim.Refs(2, 20)...))
	s.newestOf(1)
	if plan, err := history.At(t.Context(), s.a, archivesim.UUID, history.Point{Backup: b.ID}); err != nil || plan.Timeline != 2 {
		t.Errorf("the backup: %v, %v", plan, err)
	}

	// What goes on after all is a tip again.
	other.Puts++
	other.Roll(s.now)
	s.ship(other)
	if _, err := history.At(t.Context(), s.a, archivesim.UUID, history.Point{}); err == nil {
		t.Error("a tip that went on after it was given up is none")
	}
	all := s.there()
	for range 2 {
		s.prune(Options{Grace: -1})
	}
	archivesim.EqualRefs(t, "with a tip that went on after it was given up", s.there(), all)
}

// TestABranchOnABridgeIsNoContinuationOfMore has the store go on while a copy of it
// crashes twice: the copy took over logs up to the seventh, and not what came
// after.
func TestABranchOnABridgeIsNoContinuationOfMore(t *testing.T) {
	s := newPruneScene(t)
	other := s.w.Crash(2, s.now).Crash(3, s.now)
	other.ToShip = map[segment.Ref][]byte{}
	s.roll()
	other.Puts++
	other.Roll(s.now)
	s.ship(other)
	for _, line := range []segment.Timeline{1, 3} {
		if _, err := history.At(t.Context(), s.a, archivesim.UUID, history.Point{Timeline: line}); err != nil {
			t.Errorf("timeline %v: %v", line, err)
		}
	}
	h, err := readTree(t.Context(), s.a, archivesim.UUID, nil)
	testkit.Must(t, err)
	_, err = h.dropsOf(t.Context(), nil, nil)
	testkit.Must(t, err)
	if b := h.Branches[3]; b.Parent != h.Branches[1] || b.Fork != archivesim.Refs(1, 9)[0] || !b.Tip || !h.Branches[1].Tip {
		t.Errorf("timeline 3 begins at %v; tips: %v and %v", b.Fork, h.Branches[1].Tip, b.Tip)
	}
}
