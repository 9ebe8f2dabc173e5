package archiver_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
	"github.com/varve-db/varve/store"
)

// forger writes segments by hand, with what no writer does yet: compaction.
type forger struct {
	t    *testing.T
	v    *vault
	uuid segment.UUID
	line segment.Timeline
	seq  uint64 // the next number
	time int64  // of the newest commit; each is a step after the one before
	step int64
}

func newForger(t *testing.T) *forger {
	return &forger{t: t, v: newVault(), uuid: segment.UUID{1, 2, 3}, line: 0xabc, seq: 1, time: 1e18, step: 1e9}
}

func (f *forger) ref(id segment.ID) segment.Ref { return segment.Ref{Timeline: f.line, ID: id} }

func (f *forger) refs(ids ...segment.ID) (refs []segment.Ref) {
	for _, id := range ids {
		refs = append(refs, f.ref(id))
	}
	return refs
}

// log ships a log.
func (f *forger) log(id segment.ID, live []segment.ID, ops ...string) {
	f.t.Helper()
	b, place := f.running(id, live, ops...)
	f.time += f.step
	end := segment.Record{Seq: f.seq, Vouch: int64(len(b)), Time: f.time}
	end.SetEnd(f.ref(id + 1))
	f.seal(place.AppendRecord(b, int64(len(b)), &end))
}

// running returns the bytes of a log that was not ended. An op is "k=v", "-k", or
// "edit a,b>c": retire a and b, adopt c.
func (f *forger) running(id segment.ID, live []segment.ID, ops ...string) ([]byte, segment.Place) {
	f.t.Helper()
	h := &segment.Header{Head: segment.Head{Kind: segment.Log, UUID: f.uuid, Ref: f.ref(id), FirstSeq: f.seq, Time: f.time, NextID: id + 1}, Live: segment.SetOf(f.refs(live...)...)}
	b := h.Append(nil)
	add := func(r segment.Record) {
		f.time += f.step
		r.Time, r.Flags = f.time, r.Flags|segment.FlagCommit
		b = h.Place().AppendRecord(b, int64(len(b)), &r)
	}
	for _, op := range ops {
		key, value, put := strings.Cut(op, "=")
		r := segment.Record{Kind: segment.Put, Key: []byte(key), Value: []byte(value), Seq: f.seq, Flags: segment.FlagVouch, Vouch: int64(len(b))}
		if e, ok := strings.CutPrefix(op, "edit "); ok {
			from, to, _ := strings.Cut(e, ">")
			r.Key, r.Value = nil, nil
			r.SetEdit(segment.EditSet{Retire: f.parse(from), Adopt: f.parse(to)})
			add(r)
			continue
		}
		if !put {
			r.Kind, r.Key, r.Value = segment.Delete, []byte(op[1:]), nil
		}
		add(r)
		f.seq++
	}
	return b, h.Place()
}

func (f *forger) parse(s string) (refs []segment.Ref) {
	for _, x := range strings.Split(s, ",") {
		var id segment.ID
		fmt.Sscan(x, &id)
		refs = append(refs, f.ref(id))
	}
	return refs
}

// output ships an output: of "k=v@seq", in order.
func (f *forger) output(id segment.ID, items ...string) {
	f.t.Helper()
	h := &segment.Header{Head: segment.Head{Kind: segment.Output, UUID: f.uuid, Ref: f.ref(id), FirstSeq: 1, Time: f.time}}
	b := h.Append(nil)
	for _, it := range items {
		kv, at, _ := strings.Cut(it, "@")
		key, value, _ := strings.Cut(kv, "=")
		r := segment.Record{Kind: segment.Put, Key: []byte(key), Value: []byte(value)}
		fmt.Sscan(at, &r.Seq)
		b = h.Place().AppendRecord(b, int64(len(b)), &r)
	}
	f.seal(b)
}

func (f *forger) seal(b []byte) {
	f.t.Helper()
	r, err := segment.NewReader(bytes.NewReader(b), int64(len(b)))
	testkit.Must(f.t, err)
	footer, _, err := r.Seal(int64(len(b)))
	testkit.Must(f.t, err)
	f.v.add(f.t, append(b, footer...))
}

func (f *forger) drop(ids ...segment.ID) {
	for _, id := range ids {
		delete(f.v.objects, objectOf(f.uuid, f.ref(id)))
	}
}

// compacted ships a history with a compaction, and returns its states by number.
func compacted(t *testing.T) (*forger, map[uint64]map[string]string) {
	f := newForger(t)
	f.log(1, nil, "a=1", "b=1")
	f.log(2, []segment.ID{1}, "a=2", "-b")
	f.output(4, "a=2@3")
	f.log(3, []segment.ID{1, 2}, "c=5", "edit 1,2>4", "d=6")
	f.log(5, []segment.ID{3, 4}, "e=7")
	f.log(6, []segment.ID{3, 4, 5}, "a=8", "b=9")
	return f, map[uint64]map[string]string{
		1: {"a": "1"},
		2: {"a": "1", "b": "1"},
		3: {"a": "2", "b": "1"},
		4: {"a": "2"},
		5: {"a": "2", "c": "5"},
		6: {"a": "2", "c": "5", "d": "6"},
		7: {"a": "2", "c": "5", "d": "6", "e": "7"},
		8: {"a": "8", "c": "5", "d": "6", "e": "7"},
		9: {"a": "8", "b": "9", "c": "5", "d": "6", "e": "7"},
	}
}

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
			f, states := compacted(t)
			f.drop(c.drop...)
			a := f.v.open(t)
			for seq := uint64(1); seq <= 9; seq++ {
				p := archiver.Point{Seq: seq}
				if slices.Contains(c.fail, seq) {
					_, err := archiver.At(t.Context(), a, f.uuid, p)
					if !errors.Is(err, archiver.ErrIncomplete) && !errors.Is(err, archiver.ErrNoPoint) {
						t.Errorf("number %d: %v", seq, err)
					}
					continue
				}
				if c.newest == 7 && seq > 7 {
					continue
				}
				checkForged(t, f, a, p, seq, states[seq])
			}
			checkForged(t, f, a, archiver.Point{AcceptOlder: true}, c.newest, states[c.newest])
			plan := planOf(t, a, f.uuid, archiver.Point{AcceptOlder: true})
			if held := plan.Hole != nil && len(plan.Held) > 0; held != (c.newest < 7) {
				t.Errorf("what holds back more: %v", plan.Held)
			}
			_, err := archiver.At(t.Context(), a, f.uuid, archiver.Point{})
			if held := errors.Is(err, archiver.ErrIncomplete); held != (c.newest < 7) || err != nil && !held {
				t.Errorf("the newest state, asked for without more: %v", err)
			}
		})
	}
}

func checkForged(t *testing.T, f *forger, a *archiver.Archive, p archiver.Point, seq uint64, want map[string]string) {
	t.Helper()
	plan := planOf(t, a, f.uuid, p)
	if plan.Seq != seq {
		t.Fatalf("%v: the plan ends with number %d, want %d", &p, plan.Seq, seq)
	}
	dest := filepath.Join(t.TempDir(), "dest")
	restoreTo(t, a, plan, dest)
	opensTo(t, p.String(), dest, want)
	testkit.Must(t, os.RemoveAll(dest))
	r := archiver.NewReader(t.Context(), a, plan, nil)
	got := map[string]string{}
	for rec, err := range r.Scan(segment.Range{}) {
		testkit.Must(t, err)
		got[string(rec.Key)] = string(rec.Value)
	}
	same(t, p.String()+", scanned in place", got, want)
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
	f := newForger(t)
	f.log(1, nil, "a=1", "b=2")
	f.log(2, []segment.ID{1}, "a=3")
	f.output(4, "a=1@1", "b=2@2")
	f.log(3, []segment.ID{1, 2}, "c=4", "edit 1>4")
	f.log(5, []segment.ID{2, 3, 4}, "d=5")
	f.drop(1)
	checkForged(t, f, f.v.open(t), archiver.Point{}, 5, map[string]string{"a": "3", "b": "2", "c": "4", "d": "5"})
}

// TestMissingSegmentsAreNamed also shows that nothing is fetched before.
func TestMissingSegmentsAreNamed(t *testing.T) {
	f, _ := compacted(t)
	f.drop(5)
	a := f.v.open(t)
	f.v.reset()
	_, err := archiver.At(t.Context(), a, f.uuid, archiver.Point{Seq: 7})
	if e, ok := errors.AsType[*archiver.MissingError](err); !ok || !slices.Equal(e.Missing, f.refs(5)) || !strings.Contains(err.Error(), f.ref(5).String()) {
		t.Errorf("%v", err)
	}
	plan := planOf(t, a, f.uuid, archiver.Point{AcceptOlder: true})
	if !slices.Equal(plan.Held, f.refs(5)) {
		t.Errorf("what holds back more: %v", plan.Held)
	}
	f.v.objects[strings.TrimSuffix(objectOf(f.uuid, f.ref(3)), "seg")+"gone"] = []byte("{}")
	plan = planOf(t, a, f.uuid, archiver.Point{AcceptOlder: true})
	if plan.Seq != 4 || !slices.Contains(plan.Held, f.ref(3)) {
		t.Errorf("a segment that prune deletes is in the plan up to %d; held back by %v", plan.Seq, plan.Held)
	}
}

func TestPointsOutsideOfTheArchive(t *testing.T) {
	f, states := compacted(t)
	a := f.v.open(t)
	first := time.Unix(0, 1e18+1e9)
	newest := planOf(t, a, f.uuid, archiver.Point{})
	for _, c := range []struct {
		p     archiver.Point
		later bool
		seq   uint64
	}{
		{archiver.Point{Seq: 10}, true, 9},
		{archiver.Point{Time: newest.Time.Add(1)}, true, 9},
		{archiver.Point{Time: first.Add(-1)}, false, 1},
	} {
		_, err := archiver.At(t.Context(), a, f.uuid, c.p)
		if e, ok := errors.AsType[*archiver.PointError](err); !ok || e.Later != c.later || e.Seq != c.seq || !strings.Contains(err.Error(), e.Time.Format(time.RFC3339)) {
			t.Errorf("%v: %v", &c.p, err)
		}
	}
	for d, seq := range map[time.Duration]uint64{0: 1, 1: 1, time.Second: 2, 3*time.Second - 1: 2, 3 * time.Second: 3, 4 * time.Second: 4} {
		checkForged(t, f, a, archiver.Point{Time: first.Add(d)}, seq, states[seq])
	}
	if _, err := archiver.At(t.Context(), a, f.uuid, archiver.Point{Seq: 1, Time: first}); err == nil {
		t.Error("a point that is two was taken")
	}
}

// TestTwoTimelinesShareAnArchive restores a store at an earlier point, goes on with
// the copy, ships both, and restores both.
func TestTwoTimelinesShareAnArchive(t *testing.T) {
	l, v, a := grown(t, 50, 60)
	m := l.moments[20]
	plan := planOf(t, a, l.uuid, archiver.Point{Time: m.at})
	var lines []segment.Timeline
	var dirs []string
	for i := range 2 {
		dir := filepath.Join(t.TempDir(), fmt.Sprint(i))
		rep := restoreTo(t, a, plan, dir)
		lines, dirs = append(lines, rep.Timeline), append(dirs, dir)
	}
	if lines[0] == lines[1] || slices.Contains(lines, plan.Timeline) || slices.Contains(lines, 0) {
		t.Fatalf("timelines %v restored from %v", lines, plan.Timeline)
	}
	wants := map[segment.Timeline]map[string]string{plan.Timeline: maps.Clone(l.now)}
	for i, dir := range dirs {
		db, err := store.Open(dir, &l.opt)
		testkit.Must(t, err)
		want := maps.Clone(m.want)
		for n := range 30 {
			key := fmt.Sprintf("copy %d/%d", i, n)
			want[key] = strings.Repeat("y", 300)
			testkit.Must(t, db.Put([]byte(key), []byte(want[key])))
		}
		_, err = db.Seal()
		testkit.Must(t, err)
		testkit.Must(t, db.Close())
		v.ship(t, dir)
		wants[lines[i]] = want
	}
	_, err := archiver.At(t.Context(), a, l.uuid, archiver.Point{})
	if e, ok := errors.AsType[*archiver.ChoiceError](err); !ok || len(e.Choices) != 3 || !strings.Contains(err.Error(), lines[1].String()) {
		t.Fatalf("no choice is asked for: %v", err)
	}
	_, err = archiver.Restore(t.Context(), a, l.dir+"2", archiver.RestoreOptions{Plan: planOf(t, a, l.uuid, archiver.Point{Timeline: plan.Timeline})})
	testkit.Must(t, err)
	other := planOf(t, a, l.uuid, archiver.Point{Timeline: lines[0]})
	if _, err = archiver.Restore(t.Context(), a, l.dir+"2", archiver.RestoreOptions{Plan: other}); !errors.Is(err, archiver.ErrDiverged) {
		t.Errorf("a copy that went on along the parent: %v", err)
	}
	for line, want := range wants {
		dest := filepath.Join(t.TempDir(), line.String())
		restoreTo(t, a, planOf(t, a, l.uuid, archiver.Point{Timeline: line}), dest)
		opensTo(t, "timeline "+line.String(), dest, want)
		// A point before they parted is the same on each.
		p := archiver.Point{Timeline: line, Seq: l.moments[10].seq}
		readsInPlace(t, "timeline "+line.String(), archiver.NewReader(t.Context(), a, planOf(t, a, l.uuid, p), nil), l.moments[10].want)
	}
}

func TestAPlanCostsFewRequests(t *testing.T) {
	l, v, a := grown(t, 60, 1200)
	for _, p := range []archiver.Point{{}, {Seq: l.moments[500].seq}, {Time: l.moments[700].at}} {
		fresh, err := archiver.OpenArchive(t.Context(), v)
		testkit.Must(t, err)
		v.reset()
		planOf(t, fresh, l.uuid, p)
		if n := len(v.names()); n < 90 || v.requests > 45 {
			t.Errorf("%v: %d requests for %d segments", &p, v.requests, n)
		}
	}
	_ = a
}
