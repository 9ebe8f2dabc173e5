package archiver_test

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"testing"

	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
)

// crash goes on with a copy of the folder that was taken while the store was open.
func (l *life) crash() {
	l.t.Helper()
	dir := filepath.Join(l.t.TempDir(), "crashed")
	l.copyOpen(dir)
	testkit.Must(l.t, l.db.Close())
	l.dir = dir
	l.open()
	if b := l.db.OpenReport().Begun; b == nil {
		l.t.Fatal("the crash began no timeline")
	}
}

// TestTimelinesThatShippedNothingAreBridged crashes a store several times in a row,
// and has its timelines between ship nothing: the archive knows their names from
// headers alone. What came before them is of the same history all the same.
// Seed 71.
func TestTimelinesThatShippedNothingAreBridged(t *testing.T) {
	for crashes := 1; crashes <= 3; crashes++ {
		t.Run(fmt.Sprint(crashes), func(t *testing.T) {
			l, v, a := grown(t, 71, 30)
			first := planOf(t, a, l.uuid, archiver.Point{})
			for range crashes {
				for range 3 { // in a log that is never sealed
					l.commit()
				}
				l.crash()
			}
			l.grow(v, 20)
			plan := planOf(t, a, l.uuid, archiver.Point{})
			if plan.Timeline == first.Timeline || plan.Seq != l.seq {
				t.Fatalf("the newest state is number %d of %v, want %d of the last timeline", plan.Seq, plan.Timeline, l.seq)
			}
			for _, m := range l.moments {
				for _, p := range []archiver.Point{{Seq: m.seq}, {Time: m.at}} {
					readsInPlace(t, p.String(), archiver.NewReader(t.Context(), a, planOf(t, a, l.uuid, p), nil), m.want)
				}
			}
			dest := filepath.Join(t.TempDir(), "dest")
			restoreTo(t, a, planOf(t, a, l.uuid, archiver.Point{Seq: l.moments[10].seq}), dest)
			opensTo(t, "a point before the crashes", dest, l.moments[10].want)

			// The old timeline is no tip to prune either.
			_, err := archiver.Prune(t.Context(), a, l.uuid, archiver.PruneOptions{Policy: archiver.Policy{DropTips: []segment.Timeline{first.Timeline}}})
			if err == nil || errors.Is(err, archiver.ErrNotExist) {
				t.Errorf("giving up a timeline that was continued: %v", err)
			}
		})
	}
}

// TestACopyOfAStoreThatCrashedTwiceIsNoContinuation has the store itself go on as well:
// there are two tips, each with its own history. Seed 72.
func TestACopyOfAStoreThatCrashedTwiceIsNoContinuation(t *testing.T) {
	l, v, a := grown(t, 72, 30)
	l.commit()
	l.copyOpen(l.dir + "2")
	copied := &life{t: t, rng: l.rng, dir: l.dir + "2", opt: l.opt, now: maps.Clone(l.now), seq: l.seq, uuid: l.uuid}
	copied.moments = append(copied.moments, l.moments...)
	copied.open()
	t.Cleanup(func() { copied.db.Close() })
	copied.crash()
	copied.grow(v, 20)
	l.grow(v, 20)
	_, err := archiver.At(t.Context(), a, l.uuid, archiver.Point{})
	if e, ok := errors.AsType[*archiver.ChoiceError](err); !ok || len(e.Choices) != 2 {
		t.Fatalf("two that went on from one: %v", err)
	}
	for _, l := range []*life{l, copied} {
		line := l.db.Stats().Timeline
		for _, m := range l.moments {
			p := archiver.Point{Timeline: line, Seq: m.seq}
			readsInPlace(t, p.String(), archiver.NewReader(t.Context(), a, planOf(t, a, l.uuid, p), nil), m.want)
		}
	}
}
