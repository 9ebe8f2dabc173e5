package restore_test

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"testing"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/inplace"
	"github.com/varve-db/varve/archiver/internal/archivetest"
	"github.com/varve-db/varve/archiver/prune"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/segment"
)

// TestTimelinesThatShippedNothingAreBridged crashes a store several times in a row,
// and has its timelines between ship nothing: the archive knows their names from
// headers alone. What came before them is of the same history all the same.
// Seed 71.
func TestTimelinesThatShippedNothingAreBridged(t *testing.T) {
	for crashes := 1; crashes <= 3; crashes++ {
		t.Run(fmt.Sprint(crashes), func(t *testing.T) {
			l, v, a := archivetest.Grown(t, 71, 30)
			first := archivetest.PlanOf(t, a, l.UUID, history.Point{})
			for range crashes {
				for range 3 { // in a log that is never sealed
					l.Commit()
				}
				l.Crash()
			}
			l.Grow(v, 20)
			plan := archivetest.PlanOf(t, a, l.UUID, history.Point{})
			if plan.Timeline == first.Timeline || plan.Seq != l.Seq {
				t.Fatalf("the newest state is number %d of %v, want %d of the last timeline", plan.Seq, plan.Timeline, l.Seq)
			}
			for _, m := range l.Moments {
				for _, p := range []history.Point{{Seq: m.Seq}, {Time: m.At}} {
					archivetest.ReadsInPlace(t, p.String(), inplace.NewReader(t.Context(), a, archivetest.PlanOf(t, a, l.UUID, p), nil), m.Want)
				}
			}
			dest := filepath.Join(t.TempDir(), "dest")
			archivetest.RestoreTo(t, a, archivetest.PlanOf(t, a, l.UUID, history.Point{Seq: l.Moments[10].Seq}), dest)
			archivetest.OpensTo(t, "a point before the crashes", dest, l.Moments[10].Want)

			// The old timeline is no tip to prune either.
			_, err := prune.Run(t.Context(), a, l.UUID, prune.Options{Policy: prune.Policy{DropTips: []segment.Timeline{first.Timeline}}})
			if err == nil || errors.Is(err, target.ErrNotExist) {
				t.Errorf("giving up a timeline that was continued: %v", err)
			}
		})
	}
}

// TestACopyOfAStoreThatCrashedTwiceIsNoContinuation has the store itself go on as well:
// there are two tips, each with its own history. Seed 72.
func TestACopyOfAStoreThatCrashedTwiceIsNoContinuation(t *testing.T) {
	l, v, a := archivetest.Grown(t, 72, 30)
	l.Commit()
	l.CopyOpen(l.Dir + "2")
	copied := &archivetest.Life{T: t, Rand: l.Rand, Dir: l.Dir + "2", Options: l.Options, Now: maps.Clone(l.Now), Seq: l.Seq, UUID: l.UUID}
	copied.Moments = append(copied.Moments, l.Moments...)
	copied.Open()
	t.Cleanup(func() { copied.DB.Close() })
	copied.Crash()
	copied.Grow(v, 20)
	l.Grow(v, 20)
	_, err := history.At(t.Context(), a, l.UUID, history.Point{})
	if e, ok := errors.AsType[*archive.ChoiceError](err); !ok || len(e.Choices) != 2 {
		t.Fatalf("two that went on from one: %v", err)
	}
	for _, l := range []*archivetest.Life{l, copied} {
		line := l.DB.Stats().Timeline
		for _, m := range l.Moments {
			p := history.Point{Timeline: line, Seq: m.Seq}
			archivetest.ReadsInPlace(t, p.String(), inplace.NewReader(t.Context(), a, archivetest.PlanOf(t, a, l.UUID, p), nil), m.Want)
		}
	}
}
