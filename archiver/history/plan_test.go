package history_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/inplace"
	"github.com/varve-db/varve/archiver/internal/archivetest"
	"github.com/varve-db/varve/archiver/restore"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
	"github.com/varve-db/varve/store"
)

// TestPointsAfterACompaction drops segments from a history with a compaction: what
// can be brought back is, what cannot names what is missing.
func TestPointsAfterACompaction(t *testing.T) {
	for _, c := range []struct {
		what   string
		drop   []segment.ID
		newest uint64   // the newest state
		fail   []uint64 // points that cannot be had
	}{
		{"all are there", nil, 9, nil},
		{"what was compacted is pruned", []segment.ID{1, 2}, 9, []uint64{1, 2, 3, 4, 5}},
		{"the output is missing", []segment.ID{4}, 9, nil},
		{"the output and one of its inputs", []segment.ID{2, 4}, 2, []uint64{3, 4, 5, 6, 7, 8, 9}},
		{"a log in the middle", []segment.ID{5}, 6, []uint64{7, 8, 9}},
		{"the newest log", []segment.ID{6}, 7, nil},
		{"the log with the edit", []segment.ID{3}, 4, []uint64{5, 6, 7, 8, 9}},
	} {
		t.Run(c.what, func(t *testing.T) {
			f, states := archivetest.Compacted(t)
			f.Drop(c.drop...)
			a := f.V.Archive(t)
			for seq := uint64(1); seq <= 9; seq++ {
				p := history.Point{Seq: seq}
				if slices.Contains(c.fail, seq) {
					_, err := history.At(t.Context(), a, f.UUID, p)
					if !errors.Is(err, history.ErrIncomplete) && !errors.Is(err, history.ErrNoPoint) {
						t.Errorf("number %d: %v", seq, err)
					}
					continue
				}
				if c.newest == 7 && seq > 7 {
					continue
				}
				checkForged(t, f, a, p, seq, states[seq])
			}
			checkForged(t, f, a, history.Point{AcceptOlder: true}, c.newest, states[c.newest])
			plan := archivetest.PlanOf(t, a, f.UUID, history.Point{AcceptOlder: true})
			if held := plan.Hole != nil && len(plan.Held) > 0; held != (c.newest < 7) {
				t.Errorf("what holds back more: %v", plan.Held)
			}
			_, err := history.At(t.Context(), a, f.UUID, history.Point{})
			if held := errors.Is(err, history.ErrIncomplete); held != (c.newest < 7) || err != nil && !held {
				t.Errorf("the newest state, asked for without more: %v", err)
			}
		})
	}
}

func checkForged(t *testing.T, f *archivetest.Forger, a *archive.Archive, p history.Point, seq uint64, want map[string]string) {
	t.Helper()
	plan := archivetest.PlanOf(t, a, f.UUID, p)
	if plan.Seq != seq {
		t.Fatalf("%v: the plan ends with number %d, want %d", &p, plan.Seq, seq)
	}
	dest := filepath.Join(t.TempDir(), "dest")
	archivetest.RestoreTo(t, a, plan, dest)
	archivetest.OpensTo(t, p.String(), dest, want)
	testkit.Must(t, os.RemoveAll(dest))
	r := inplace.NewReader(t.Context(), a, plan, nil)
	got := map[string]string{}
	for rec, err := range r.Scan(segment.Range{}) {
		testkit.Must(t, err)
		got[string(rec.Key)] = string(rec.Value)
	}
	archivetest.Same(t, p.String()+", scanned in place", got, want)
	for _, key := range []string{"a", "b", "c", "d", "e"} {
		rec, err := r.Get([]byte(key))
		if err == nil && string(rec.Value) != want[key] || err != nil && (want[key] != "" || !errors.Is(err, segment.ErrNotFound)) {
			t.Fatalf("%v: get %q in place: %v, want %q", &p, key, err, want[key])
		}
		if has, err := r.Has([]byte(key)); err != nil || has != (want[key] != "") {
			t.Fatalf("%v: has %q in place: %v, %v, want %q", &p, key, has, err, want[key])
		}
	}
}

// TestAnOutputMayBeOlderThanALogBeforeIt has compaction leave out a log between.
func TestAnOutputMayBeOlderThanALogBeforeIt(t *testing.T) {
	f := archivetest.NewForger(t)
	f.Log(1, nil, "a=1", "b=2")
	f.Log(2, []segment.ID{1}, "a=3")
	f.Output(4, "a=1@1", "b=2@2")
	f.Log(3, []segment.ID{1, 2}, "c=4", "edit 1>4")
	f.Log(5, []segment.ID{2, 3, 4}, "d=5")
	f.Drop(1)
	checkForged(t, f, f.V.Archive(t), history.Point{}, 5, map[string]string{"a": "3", "b": "2", "c": "4", "d": "5"})
}

// TestMissingSegmentsAreNamed also shows that nothing is fetched before.
func TestMissingSegmentsAreNamed(t *testing.T) {
	f, _ := archivetest.Compacted(t)
	f.Drop(5)
	a := f.V.Archive(t)
	f.V.Reset()
	_, err := history.At(t.Context(), a, f.UUID, history.Point{Seq: 7})
	if e, ok := errors.AsType[*history.MissingError](err); !ok || !slices.Equal(e.Missing, f.Refs(5)) || !strings.Contains(err.Error(), f.Ref(5).String()) {
		t.Errorf("%v", err)
	}
	plan := archivetest.PlanOf(t, a, f.UUID, history.Point{AcceptOlder: true})
	if !slices.Equal(plan.Held, f.Refs(5)) {
		t.Errorf("what holds back more: %v", plan.Held)
	}
	f.V.Objects[strings.TrimSuffix(archivetest.ObjectOf(f.UUID, f.Ref(3)), "seg")+"gone"] = []byte("{}")
	plan = archivetest.PlanOf(t, a, f.UUID, history.Point{AcceptOlder: true})
	if plan.Seq != 4 || !slices.Contains(plan.Held, f.Ref(3)) {
		t.Errorf("a segment that prune deletes is in the plan up to %d; held back by %v", plan.Seq, plan.Held)
	}
}

func TestPointsOutsideOfTheArchive(t *testing.T) {
	f, states := archivetest.Compacted(t)
	a := f.V.Archive(t)
	first := time.Unix(0, 1e18+1e9)
	newest := archivetest.PlanOf(t, a, f.UUID, history.Point{})
	for _, c := range []struct {
		p     history.Point
		later bool
		seq   uint64
	}{
		{history.Point{Seq: 10}, true, 9},
		{history.Point{Time: newest.Time.Add(1)}, true, 9},
		{history.Point{Time: first.Add(-1)}, false, 1},
	} {
		_, err := history.At(t.Context(), a, f.UUID, c.p)
		if e, ok := errors.AsType[*history.PointError](err); !ok || e.Later != c.later || e.Seq != c.seq || !strings.Contains(err.Error(), e.Time.Format(time.RFC3339)) {
			t.Errorf("%v: %v", &c.p, err)
		}
	}
	for d, seq := range map[time.Duration]uint64{0: 1, 1: 1, time.Second: 2, 3*time.Second - 1: 2, 3 * time.Second: 3, 4 * time.Second: 4} {
		checkForged(t, f, a, history.Point{Time: first.Add(d)}, seq, states[seq])
	}
	if _, err := history.At(t.Context(), a, f.UUID, history.Point{Seq: 1, Time: first}); err == nil {
		t.Error("a point that is two was taken")
	}
}

// TestTwoTimelinesShareAnArchive restores a store at an earlier point, goes on with
// the copy, ships both, and restores both.
func TestTwoTimelinesShareAnArchive(t *testing.T) {
	l, v, a := archivetest.Grown(t, 50, 60)
	m := l.Moments[20]
	plan := archivetest.PlanOf(t, a, l.UUID, history.Point{Time: m.At})
	var lines []segment.Timeline
	var dirs []string
	for i := range 2 {
		dir := filepath.Join(t.TempDir(), fmt.Sprint(i))
		rep := archivetest.RestoreTo(t, a, plan, dir)
		lines, dirs = append(lines, rep.Timeline), append(dirs, dir)
	}
	if lines[0] == lines[1] || slices.Contains(lines, plan.Timeline) || slices.Contains(lines, 0) {
		t.Fatalf("timelines %v restored from %v", lines, plan.Timeline)
	}
	wants := map[segment.Timeline]map[string]string{plan.Timeline: maps.Clone(l.Now)}
	for i, dir := range dirs {
		db, err := store.Open(dir, &l.Options)
		testkit.Must(t, err)
		want := maps.Clone(m.Want)
		for n := range 30 {
			key := fmt.Sprintf("copy %d/%d", i, n)
			want[key] = strings.Repeat("y", 300)
			testkit.Must(t, db.Put([]byte(key), []byte(want[key])))
		}
		_, err = db.Seal()
		testkit.Must(t, err)
		testkit.Must(t, db.Close())
		v.Ship(t, dir)
		wants[lines[i]] = want
	}
	_, err := history.At(t.Context(), a, l.UUID, history.Point{})
	if e, ok := errors.AsType[*archive.ChoiceError](err); !ok || len(e.Choices) != 3 || !strings.Contains(err.Error(), lines[1].String()) {
		t.Fatalf("no choice is asked for: %v", err)
	}
	_, err = restore.Run(t.Context(), a, l.Dir+"2", restore.Options{Plan: archivetest.PlanOf(t, a, l.UUID, history.Point{Timeline: plan.Timeline})})
	testkit.Must(t, err)
	other := archivetest.PlanOf(t, a, l.UUID, history.Point{Timeline: lines[0]})
	if _, err = restore.Run(t.Context(), a, l.Dir+"2", restore.Options{Plan: other}); !errors.Is(err, restore.ErrDiverged) {
		t.Errorf("a copy that went on along the parent: %v", err)
	}
	for line, want := range wants {
		dest := filepath.Join(t.TempDir(), line.String())
		archivetest.RestoreTo(t, a, archivetest.PlanOf(t, a, l.UUID, history.Point{Timeline: line}), dest)
		archivetest.OpensTo(t, "timeline "+line.String(), dest, want)
		// A point before they parted is the same on each.
		p := history.Point{Timeline: line, Seq: l.Moments[10].Seq}
		archivetest.ReadsInPlace(t, "timeline "+line.String(), inplace.NewReader(t.Context(), a, archivetest.PlanOf(t, a, l.UUID, p), nil), l.Moments[10].Want)
	}
}

func TestAPlanCostsFewRequests(t *testing.T) {
	l, v, a := archivetest.Grown(t, 60, 1200)
	for _, p := range []history.Point{{}, {Seq: l.Moments[500].Seq}, {Time: l.Moments[700].At}} {
		fresh, err := archive.Open(t.Context(), v)
		testkit.Must(t, err)
		v.Reset()
		archivetest.PlanOf(t, fresh, l.UUID, p)
		if n := len(v.Names()); n < 90 || v.Requests > 45 {
			t.Errorf("%v: %d requests for %d segments", &p, v.Requests, n)
		}
	}
	_ = a
}
