package archiver_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
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

// holed is a small archive: a history with a compaction on timeline a, which b goes on
// from at its end and c, if there is one, from the middle; and two backups, of which the second is
// of the newest state of b.
type holed struct {
	*forger
	states  map[segment.Timeline]map[uint64]map[string]string
	tips    []segment.Timeline
	backups map[uint64]uint64 // their sequence numbers
	injured *vault            // what is being checked
	untold  bool              // of what is being checked: see unknowable
}

const lineA, lineB, lineC = segment.Timeline(0xa), segment.Timeline(0xb), segment.Timeline(0xc)

// pinned has a backup of segments.
func pinned(t *testing.T, f *forger, a *archiver.Archive, tip segment.Ref, seq uint64, refs []segment.Ref) error {
	return a.PutBackup(t.Context(), &archiver.Backup{Store: f.uuid, Tip: tip, Seq: seq, LogTime: f.time, Segments: segment.SetOf(refs...).Runs()})
}

func newHoled(t *testing.T, two bool) *holed {
	f, states := compacted(t)
	h := &holed{forger: f, states: map[segment.Timeline]map[uint64]map[string]string{f.line: states}, tips: []segment.Timeline{lineB}, backups: map[uint64]uint64{1: 6, 2: 12}}
	a := f.v.open(t)
	err := pinned(t, f, a, f.ref(3), 6, f.refs(3, 4))
	testkit.Must(t, err)
	root := f.line
	at := func(ids ...segment.ID) []segment.Ref {
		refs := f.refs(ids...)
		for i := range refs {
			if refs[i].ID < 7 {
				refs[i].Timeline = root
			}
		}
		return refs
	}
	end := f.time
	f.line = lineB
	f.branch(7, at(3, 4, 5, 6), at(6)[0], 9, "a=10", "-b")
	f.branch(8, at(3, 4, 5, 6, 7), at(6)[0], 9, "e=12")
	h.states[lineB] = maps.Clone(states)
	h.states[lineB][10] = map[string]string{"a": "10", "b": "9", "c": "5", "d": "6", "e": "7"}
	h.states[lineB][11] = map[string]string{"a": "10", "c": "5", "d": "6", "e": "7"}
	h.states[lineB][12] = map[string]string{"a": "10", "c": "5", "d": "6", "e": "12"}
	err = pinned(t, f, a, f.ref(8), 12, at(3, 4, 5, 6, 7, 8))
	testkit.Must(t, err)
	if two {
		f.line, f.seq, f.time = lineC, 8, end
		f.branch(9, at(3, 4, 5), at(5)[0], 7, "a=C8")
		h.states[lineC] = map[uint64]map[string]string{}
		for seq := range uint64(7) {
			h.states[lineC][seq+1] = states[seq+1]
		}
		h.states[lineC][8] = map[string]string{"a": "C8", "c": "5", "d": "6", "e": "7"}
		h.tips = append(h.tips, lineC)
	}
	f.line = root
	return h
}

// branch ships a log of a timeline that began on another one.
func (f *forger) branch(id segment.ID, live []segment.Ref, parent segment.Ref, seq uint64, ops ...string) {
	f.t.Helper()
	b, _ := f.running(id, nil, ops...)
	h, _, err := segment.ParseHeader(b)
	testkit.Must(f.t, err)
	h.Live, h.Parent, h.ParentSeq = segment.SetOf(live...), parent, seq
	out := h.Append(nil)
	r, err := segment.NewReader(bytes.NewReader(b), int64(len(b)))
	testkit.Must(f.t, err)
	for rec, err := range r.Records(segment.Span{}) {
		testkit.Must(f.t, err)
		rec, err = r.RecordAt(rec.Offset, rec.Offset+rec.Size)
		testkit.Must(f.t, err)
		rec.Vouch = int64(len(out))
		out = h.Place().AppendRecord(out, int64(len(out)), rec)
	}
	f.time += 1e9
	end := segment.Record{Seq: f.seq, Vouch: int64(len(out)), Time: f.time}
	end.SetEnd(f.ref(id + 1))
	f.seal(h.Place().AppendRecord(out, int64(len(out)), &end))
}

// injury is what happens to one object.
type injury struct {
	what string
	do   func(b []byte) []byte // nil: it is gone
}

var injuries = []injury{
	{"deleted", nil},
	{"a flipped byte in the header", func(b []byte) []byte { b[20] ^= 1; return b }},
	{"a flipped byte in the trailer", func(b []byte) []byte { b[len(b)-40] ^= 1; return b }},
	{"a flipped byte in the middle", func(b []byte) []byte { b[len(b)/2] ^= 1; return b }},
	{"cut short", func(b []byte) []byte { return b[:len(b)-len(b)/3] }},
	{"emptied", func(b []byte) []byte { return nil }},
}

// injure returns the archive with injured objects.
func (h *holed) injure(names []string, how []injury) *vault {
	v := newVault()
	for name, b := range h.v.objects {
		v.objects[name] = b
	}
	for i, name := range names {
		if how[i].do == nil {
			delete(v.objects, name)
			continue
		}
		v.objects[name] = how[i].do(bytes.Clone(v.objects[name]))
	}
	return v
}

// TestAHoleIsNamedOrNotNeeded injures any one object of an archive, and any two, and
// reads it in every way: what is read is the state that the plan says, and of the point that was asked for
// unless less was accepted; or the error names an object that was injured.
func TestAHoleIsNamedOrNotNeeded(t *testing.T) {
	for _, world := range []string{"one tip", "two tips", "no backups"} {
		h := newHoled(t, world == "two tips")
		if world == "no backups" {
			maps.DeleteFunc(h.v.objects, func(name string, _ []byte) bool { return strings.Contains(name, "/backups/") })
			h.backups = nil
		}
		var names []string
		for name := range h.v.objects {
			if strings.Count(name, "/") == 2 {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		h.check(nil, nil)
		for i, name := range names {
			for _, in := range injuries {
				h.check([]string{name}, []injury{in})
			}
			for _, other := range names[i+1:] {
				h.check([]string{name, other}, []injury{injuries[0], injuries[0]})
			}
		}
		for n := range pairs() {
			rng := rand.New(rand.NewPCG(uint64(n), 0))
			i := rng.IntN(len(names) - 1)
			j := i + 1 + rng.IntN(len(names)-i-1)
			h.check([]string{names[i], names[j]}, []injury{injuries[rng.IntN(len(injuries))], injuries[rng.IntN(len(injuries))]})
		}
	}
}

// pairs is how many pairs of injuries are tried, of those at random.
func pairs() int {
	if os.Getenv("VARVE_DAMAGE") != "" {
		return 2000
	}
	return 20
}

// check reads an injured archive at every point.
func (h *holed) check(names []string, how []injury) {
	h.t.Helper()
	what := "nothing is injured"
	for i, name := range names {
		if what = how[i].what + ": " + name; i > 0 {
			what = fmt.Sprintf("%s: %s; %s", how[0].what, names[0], what)
		}
	}
	h.untold = h.unknowable(names, how)
	h.injured = h.injure(names, how)
	a := h.injured.open(h.t)
	points := []archiver.Point{{}, {Timeline: lineB}, {Timeline: lineB, AcceptOlder: true}, {AcceptOlder: true}}
	if h.backups != nil {
		points = append(points, archiver.Point{Backup: 1}, archiver.Point{Backup: 2}, archiver.Point{Backup: 2, AcceptOlder: true})
	}
	for _, seq := range []uint64{1, 4, 6, 8, 11, 12} {
		points = append(points, archiver.Point{Timeline: lineB, Seq: seq})
	}
	points = append(points, archiver.Point{Seq: 12}, archiver.Point{Seq: 8, AcceptOlder: true},
		archiver.Point{Timeline: lineB, Time: time.Unix(0, 1e18+10*1e9)}, archiver.Point{Time: time.Unix(0, 1e18+13*1e9)})
	h.listed(what, a, names)
	for _, p := range points {
		what := fmt.Sprintf("%s: timeline %v, %v, accepting older: %v", what, p.Timeline, &p, p.AcceptOlder)
		plan, err := archiver.At(h.t.Context(), a, h.uuid, p)
		if err != nil {
			h.named(what, err, names)
			continue
		}
		h.planned(what, p, plan, names)
		h.reads(what, a, plan, names)
	}
}

// listed checks that what cannot be planned is what a list names.
func (h *holed) listed(what string, a *archiver.Archive, names []string) {
	h.t.Helper()
	backups, _ := a.Backups(h.t.Context(), h.uuid)
	holes, err := archiver.Holes(h.t.Context(), a, h.uuid, backups)
	if err != nil {
		h.t.Errorf("%s: list: %v", what, err)
	}
	held := map[uint64]bool{}
	for _, hole := range holes {
		h.named(what+": list", hole, names)
		held[hole.Point.Backup] = true
	}
	_, err = archiver.At(h.t.Context(), a, h.uuid, archiver.Point{Timeline: lineB})
	if errors.Is(err, archiver.ErrIncomplete) && !held[0] {
		h.t.Errorf("%s: the list does not name %v", what, err)
	}
	for _, b := range backups {
		missing := slices.ContainsFunc(b.Refs(), func(r segment.Ref) bool { _, err := h.injured.get(objectOf(h.uuid, r)); return err != nil })
		if missing != held[b.ID] {
			h.t.Errorf("%s: backup %d lacks something: %v, listed so: %v", what, b.ID, missing, held[b.ID])
		}
	}
}

// named checks that an error names an object that was injured.
func (h *holed) named(what string, err error, names []string) {
	h.t.Helper()
	if e, ok := errors.AsType[*archiver.ChoiceError](err); ok && len(h.tips) > 1 && len(e.Choices) > 1 {
		return
	}
	_, corrupt := errors.AsType[*segment.CorruptError](err)
	_, unreadable := errors.AsType[*archiver.UnreadableError](err)
	typed := corrupt || unreadable || errors.Is(err, archiver.ErrIncomplete) || errors.Is(err, archiver.ErrNoBackup) || errors.Is(err, archiver.ErrNoPoint) || errors.Is(err, archiver.ErrNotExist)
	if len(names) > 1 && h.backups == nil && errors.Is(err, archiver.ErrNotExist) { // all of a timeline is gone, and nothing tells of it
		return
	}
	for _, name := range names {
		id := strings.TrimSuffix(filepath.Base(name), filepath.Ext(name))
		if typed && (strings.Contains(err.Error(), id) || strings.Contains(name, "/backups/")) {
			return
		}
	}
	if e, ok := errors.AsType[*archiver.MissingError](err); ok && e.Between[0].ID != 0 && len(names) > 0 {
		return
	}
	if e, ok := errors.AsType[*archiver.PointError](err); ok && h.untold && e.Later { // what came last is gone, and nothing tells of it
		return
	}
	h.t.Errorf("%s: %v", what, err)
}

// planned checks that a plan is for the point that was asked for, or says why not.
func (h *holed) planned(what string, p archiver.Point, plan *archiver.Plan, names []string) {
	h.t.Helper()
	want := p.Seq
	switch {
	case p.Backup != 0:
		want = h.backups[p.Backup]
	case !p.Time.IsZero():
		return
	case p.Seq == 0:
		want = 12
	}
	switch {
	case plan.Hole != nil && !p.AcceptOlder:
		h.t.Errorf("%s: less than was asked for: up to %d, since %v", what, plan.Seq, plan.Hole)
	case plan.Hole != nil:
		h.named(what, plan.Hole, names)
	case plan.Seq != want && !(p.Seq == 0 && p.Backup == 0 && h.untold):
		h.t.Errorf("%s: sequence number %d, want %d", what, plan.Seq, want)
	}
}

// unknowable reports whether the newest log of timeline b is gone with what tells of it.
func (h *holed) unknowable(names []string, how []injury) bool {
	last := slices.IndexFunc(names, func(n string) bool { return strings.HasSuffix(n, "08.seg") })
	told := h.backups != nil && !slices.ContainsFunc(names, func(n string) bool { return strings.Contains(n, "backups/") })
	return last >= 0 && how[last].do == nil && !told
}

// reads checks that what is read is the state of the plan.
func (h *holed) reads(what string, a *archiver.Archive, plan *archiver.Plan, names []string) {
	h.t.Helper()
	want := h.states[plan.Timeline][plan.Seq]
	if want == nil {
		h.t.Fatalf("%s: a plan for number %d of timeline %v", what, plan.Seq, plan.Timeline)
	}
	r := archiver.NewReader(h.t.Context(), a, plan, nil)
	got := map[string]string{}
	for rec, err := range r.Scan(segment.Range{}) {
		if err != nil {
			h.named(what+": scan", err, names)
			got = nil
			break
		}
		got[string(rec.Key)] = string(rec.Value)
	}
	if got != nil {
		same(h.t, what+": scanned in place", got, want)
	}
	for _, key := range []string{"a", "b", "c", "d", "e"} {
		rec, err := r.Get([]byte(key))
		switch value, there := want[key]; {
		case errors.Is(err, segment.ErrNotFound) && !there, err == nil && there && string(rec.Value) == value:
		case err == nil || errors.Is(err, segment.ErrNotFound):
			h.t.Errorf("%s: get %q: %v, want %q", what, key, err, value)
		default:
			h.named(what+": get", err, names)
		}
	}
}

// TestARestoreAndAStoreNameTheHole restores injured archives, and opens points of them as stores.
func TestARestoreAndAStoreNameTheHole(t *testing.T) {
	h := newHoled(t, false)
	names := h.v.names()
	for i, name := range names {
		if os.Getenv("VARVE_DAMAGE") == "" && i%4 != 1 {
			continue
		}
		for _, in := range injuries {
			h.restores(name, in)
			h.asStore(name, in)
		}
	}
}

func (h *holed) restores(name string, in injury) {
	h.t.Helper()
	what := in.what + ": " + name
	a := h.injure([]string{name}, []injury{in}).open(h.t)
	for _, p := range []archiver.Point{{Timeline: lineB}, {Timeline: lineB, AcceptOlder: true}, {Backup: 1}} {
		plan, err := archiver.At(h.t.Context(), a, h.uuid, p)
		if err != nil {
			h.named(what, err, []string{name})
			continue
		}
		dest := filepath.Join(h.t.TempDir(), "dest")
		if _, err := archiver.Restore(h.t.Context(), a, dest, archiver.RestoreOptions{Plan: plan}); err != nil {
			h.named(what, err, []string{name})
			continue
		}
		readsTo(h.t, what, dest, h.states[plan.Timeline][plan.Seq])
	}
}

// asStore opens points of an injured archive as stores.
func (h *holed) asStore(name string, in injury) {
	h.t.Helper()
	what := in.what + ": as a store: " + name
	a := h.injure([]string{name}, []injury{in}).open(h.t)
	for _, p := range []archiver.Point{{Timeline: lineB}, {Timeline: lineB, AcceptOlder: true}, {Backup: 1}} {
		plan, err := archiver.At(h.t.Context(), a, h.uuid, p)
		if err != nil {
			h.named(what, err, []string{name})
			continue
		}
		got, err := opened(h.t.Context(), plan)
		if err != nil {
			h.named(what, err, []string{name})
			continue
		}
		same(h.t, what, got, h.states[plan.Timeline][plan.Seq])
	}
}

// opened returns the objects of a plan, opened as a store.
func opened(ctx context.Context, plan *archiver.Plan) (map[string]string, error) {
	fsys, err := plan.FS(ctx)
	if err != nil {
		return nil, err
	}
	r, err := store.OpenReadOnlyFS(fsys, nil)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	got := map[string]string{}
	for o, err := range r.Scan(store.Range{}) {
		if err != nil {
			return nil, err
		}
		got[string(o.Key)] = string(o.Value)
	}
	return got, nil
}
