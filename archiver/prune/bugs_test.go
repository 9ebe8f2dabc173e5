package prune

import (
	"slices"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/internal/archivesim"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
)

// tangle is a scene that each test writes by itself: one writer, six hours a log.
func tangle(t *testing.T, logs int) *pruneScene {
	s := &pruneScene{t: t, now: time.Unix(1_700_000_000, 0).UTC()}
	s.target = archivesim.NewTarget(func() time.Time { return s.now })
	s.a = archivesim.Open(t, s.target)
	s.w = archivesim.NewWriter(t, 1, s.now)
	for range logs {
		s.roll()
	}
	return s
}

// stays prunes twice with a policy, and expects that refs stay, and that every
// point in the window, and the newest one, is restored from the same segments as
// before.
func (s *pruneScene) stays(o Policy, refs ...segment.Ref) {
	s.t.Helper()
	before := s.plans(o.Window)
	for range 2 {
		s.prune(Options{Policy: o, Grace: -1})
	}
	there := s.there()
	for _, r := range refs {
		if !slices.Contains(there, r) {
			s.t.Errorf("%v was deleted; there is %v", r, there)
		}
	}
	after := s.plans(o.Window)
	for seq, want := range before {
		if !slices.Equal(after[seq], want) {
			s.t.Errorf("number %d was restored from %v, and after a prune from %v", seq, want, after[seq])
		}
	}
}

// plans returns what the points of the window, and the newest as 0, are restored
// from.
func (s *pruneScene) plans(window time.Duration) map[uint64][]segment.Ref {
	all := map[uint64][]segment.Ref{}
	a, err := archive.Open(s.t.Context(), s.target)
	testkit.Must(s.t, err)
	for _, p := range append(slices.Collect(s.points(window)), history.Point{AcceptOlder: true}) {
		if p, err := history.At(s.t.Context(), a, archivesim.UUID, p); err == nil {
			seq := p.Seq
			if len(p.Held) > 0 {
				seq = 0
			}
			all[seq] = append(p.Set(), p.Last)
		}
	}
	return all
}

func (s *pruneScene) points(window time.Duration) func(func(history.Point) bool) {
	return func(yield func(history.Point) bool) {
		for seq := uint64(1); seq <= s.w.Chain[len(s.w.Chain)-1].Seq; seq++ {
			i := slices.IndexFunc(s.w.Chain, func(l *archivesim.Log) bool { return l.Seq >= seq })
			if window > 0 && s.w.Chain[i].Hdr.Time >= s.now.Add(-window).UnixNano() && !yield(history.Point{Seq: seq}) {
				return
			}
		}
	}
}

// TestPruneKeepsTheNewestCompleteSet has the newest log build on an output that is
// still being shipped: the newest state that can be restored is that of the log
// before, with all that compaction replaced.
func TestPruneKeepsTheNewestCompleteSet(t *testing.T) {
	s := tangle(t, 6)
	s.w.Compact(archivesim.Refs(1, 1, 2, 3), s.now)
	s.w.Adopt()
	output := s.w.ToShip[archivesim.Refs(1, 8)[0]]
	delete(s.w.ToShip, archivesim.Refs(1, 8)[0])
	s.roll()
	s.roll()
	s.stays(Policy{}, archivesim.Refs(1, 1, 2, 3)...)
	// Once the output is there, it is not needed any more.
	s.target.Plant(t, archive.SegmentName(archivesim.UUID, archivesim.Refs(1, 8)[0]), output)
	s.prune(Options{Grace: -1})
	s.prune(Options{Grace: -1})
	archivesim.EqualRefs(t, "with the output", s.there(), archivesim.Refs(1, 4, 5, 6, 7, 8, 9))
}

// TestPruneKeepsWhatTheNewestLogBuildsOn has the newest log list two outputs, of
// which one is still being shipped and the other, which is older than the newest
// complete log, was adopted after that log was begun.
func TestPruneKeepsWhatTheNewestLogBuildsOn(t *testing.T) {
	s := tangle(t, 4)
	s.w.Compact(archivesim.Refs(1, 1, 2), s.now) // output 6, while log 5 is running
	s.roll()
	s.ship(s.w)
	s.w.Adopt() // in log 7
	s.w.Compact(archivesim.Refs(1, 3, 4), s.now)
	s.w.Adopt() // output 8, in log 7 as well
	delete(s.w.ToShip, archivesim.Refs(1, 8)[0])
	s.now = s.now.Add(time.Hour)
	s.roll()
	s.roll()
	s.stays(Policy{}, archivesim.Refs(1, 1, 2, 3, 4, 5, 6, 7, 9)...)
}

// TestPruneKeepsOutputsThatThePointsOfTheWindowAdopt has an output be stored before
// the log that was running when the window begins, adopted by that one, and
// replaced again before now.
func TestPruneKeepsOutputsThatThePointsOfTheWindowAdopt(t *testing.T) {
	s := tangle(t, 4)
	s.w.Compact(archivesim.Refs(1, 1, 2), s.now) // output 6, just before log 7 is begun
	s.ship(s.w)
	s.w.Puts++
	s.now = s.now.Add(time.Minute)
	s.w.Roll(s.now)
	s.ship(s.w)
	s.w.Adopt() // in log 7
	s.roll()
	s.roll()
	s.roll()
	s.w.Compact(archivesim.Refs(1, 6), s.now)
	s.w.Adopt()
	s.roll()
	s.roll()
	begun := s.w.Chain[5].Hdr // log 7
	if begun.Ref.ID != 7 {
		t.Fatalf("log %v", begun.Ref)
	}
	s.stays(Policy{Window: s.now.Sub(time.Unix(0, begun.Time).Add(time.Hour))}, archivesim.Refs(1, 6)...)
}

// TestPruneKeepsWhatABranchBeganWith has the first log of a timeline build on an
// output that the parent made after the log of the fork, and that is replaced
// before now. The window begins before the timeline.
func TestPruneKeepsWhatABranchBeganWith(t *testing.T) {
	s := tangle(t, 4)
	s.w.Compact(archivesim.Refs(1, 1, 2), s.now) // output 6, while log 5 is running
	s.w.Adopt()
	s.ship(s.w)
	s.w = s.w.Crash(2, s.now)
	s.roll()
	s.roll()
	s.w.Compact(archivesim.Refs(1, 6), s.now)
	s.w.Adopt()
	s.roll()
	s.roll()
	s.stays(Policy{Window: s.now.Sub(time.Unix(0, s.w.Chain[2].Hdr.Time))}, archivesim.Refs(1, 6)...)
}
