package history_test

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

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/inplace"
	"github.com/varve-db/varve/archiver/internal/archivetest"
	"github.com/varve-db/varve/archiver/restore"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
	"github.com/varve-db/varve/store"
)

// holed is a small archive: a history with a compaction on timeline a, which b goes on
// from at its end and c, if there is one, from the middle; and two backups, of which the second is
// of the newest state of b.
type holed struct {
	*archivetest.Forger
	states  map[segment.Timeline]map[uint64]map[string]string
	tips    []segment.Timeline
	backups map[uint64]uint64  // their sequence numbers
	injured *archivetest.Vault // what is being checked
	untold  bool               // of what is being checked: see unknowable
}

const lineA, lineB, lineC = segment.Timeline(0xa), segment.Timeline(0xb), segment.Timeline(0xc)

// pinned has a backup of segments.
func pinned(t *testing.T, f *archivetest.Forger, a *archive.Archive, tip segment.Ref, seq uint64, refs []segment.Ref) error {
	return a.PutBackup(t.Context(), &archive.Backup{Store: f.UUID, Tip: tip, Seq: seq, LogTime: f.Time, Segments: segment.SetOf(refs...).Runs()})
}

func newHoled(t *testing.T, two bool) *holed {
	f, states := archivetest.Compacted(t)
	h := &holed{Forger: f, states: map[segment.Timeline]map[uint64]map[string]string{f.Line: states}, tips: []segment.Timeline{lineB}, backups: map[uint64]uint64{1: 6, 2: 12}}
	a := f.V.Archive(t)
	err := pinned(t, f, a, f.Ref(3), 6, f.Refs(3, 4))
	testkit.Must(t, err)
	root := f.Line
	at := func(ids ...segment.ID) []segment.Ref {
		refs := f.Refs(ids...)
		for i := range refs {
			if refs[i].ID < 7 {
				refs[i].Timeline = root
			}
		}
		return refs
	}
	end := f.Time
	f.Line = lineB
	f.Branch(7, at(3, 4, 5, 6), at(6)[0], 9, "a=10", "-b")
	f.Branch(8, at(3, 4, 5, 6, 7), at(6)[0], 9, "e=12")
	h.states[lineB] = maps.Clone(states)
	h.states[lineB][10] = map[string]string{"a": "10", "b": "9", "c": "5", "d": "6", "e": "7"}
	h.states[lineB][11] = map[string]string{"a": "10", "c": "5", "d": "6", "e": "7"}
	h.states[lineB][12] = map[string]string{"a": "10", "c": "5", "d": "6", "e": "12"}
	err = pinned(t, f, a, f.Ref(8), 12, at(3, 4, 5, 6, 7, 8))
	testkit.Must(t, err)
	if two {
		f.Line, f.Seq, f.Time = lineC, 8, end
		f.Branch(9, at(3, 4, 5), at(5)[0], 7, "a=C8")
		h.states[lineC] = map[uint64]map[string]string{}
		for seq := range uint64(7) {
			h.states[lineC][seq+1] = states[seq+1]
		}
		h.states[lineC][8] = map[string]string{"a": "C8", "c": "5", "d": "6", "e": "7"}
		h.tips = append(h.tips, lineC)
	}
	f.Line = root
	return h
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
func (h *holed) injure(names []string, how []injury) *archivetest.Vault {
	v := archivetest.NewVault()
	for name, b := range h.V.Objects {
		v.Objects[name] = b
	}
	for i, name := range names {
		if how[i].do == nil {
			delete(v.Objects, name)
			continue
		}
		v.Objects[name] = how[i].do(bytes.Clone(v.Objects[name]))
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
			maps.DeleteFunc(h.V.Objects, func(name string, _ []byte) bool { return strings.Contains(name, "/backups/") })
			h.backups = nil
		}
		var names []string
		for name := range h.V.Objects {
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
	h.T.Helper()
	what := "nothing is injured"
	for i, name := range names {
		if what = how[i].what + ": " + name; i > 0 {
			what = fmt.Sprintf("%s: %s; %s", how[0].what, names[0], what)
		}
	}
	h.untold = h.unknowable(names, how)
	h.injured = h.injure(names, how)
	a := h.injured.Archive(h.T)
	points := []history.Point{{}, {Timeline: lineB}, {Timeline: lineB, AcceptOlder: true}, {AcceptOlder: true}}
	if h.backups != nil {
		points = append(points, history.Point{Backup: 1}, history.Point{Backup: 2}, history.Point{Backup: 2, AcceptOlder: true})
	}
	for _, seq := range []uint64{1, 4, 6, 8, 11, 12} {
		points = append(points, history.Point{Timeline: lineB, Seq: seq})
	}
	points = append(points, history.Point{Seq: 12}, history.Point{Seq: 8, AcceptOlder: true},
		history.Point{Timeline: lineB, Time: time.Unix(0, 1e18+10*1e9)}, history.Point{Time: time.Unix(0, 1e18+13*1e9)})
	h.listed(what, a, names)
	for _, p := range points {
		what := fmt.Sprintf("%s: timeline %v, %v, accepting older: %v", what, p.Timeline, &p, p.AcceptOlder)
		plan, err := history.At(h.T.Context(), a, h.UUID, p)
		if err != nil {
			h.named(what, err, names)
			continue
		}
		h.planned(what, p, plan, names)
		h.reads(what, a, plan, names)
	}
}

// listed checks that what cannot be planned is what a list names.
func (h *holed) listed(what string, a *archive.Archive, names []string) {
	h.T.Helper()
	backups, _ := a.Backups(h.T.Context(), h.UUID)
	holes, err := history.Holes(h.T.Context(), a, h.UUID, backups)
	if err != nil {
		h.T.Errorf("%s: list: %v", what, err)
	}
	held := map[uint64]bool{}
	for _, hole := range holes {
		h.named(what+": list", hole, names)
		held[hole.Point.Backup] = true
	}
	_, err = history.At(h.T.Context(), a, h.UUID, history.Point{Timeline: lineB})
	if errors.Is(err, history.ErrIncomplete) && !held[0] {
		h.T.Errorf("%s: the list does not name %v", what, err)
	}
	for _, b := range backups {
		missing := slices.ContainsFunc(b.Refs(), func(r segment.Ref) bool { _, err := h.injured.Get(archivetest.ObjectOf(h.UUID, r)); return err != nil })
		if missing != held[b.ID] {
			h.T.Errorf("%s: backup %d lacks something: %v, listed so: %v", what, b.ID, missing, held[b.ID])
		}
	}
}

// named checks that an error names an object that was injured.
func (h *holed) named(what string, err error, names []string) {
	h.T.Helper()
	if e, ok := errors.AsType[*archive.ChoiceError](err); ok && len(h.tips) > 1 && len(e.Choices) > 1 {
		return
	}
	_, corrupt := errors.AsType[*segment.CorruptError](err)
	_, unreadable := errors.AsType[*archive.UnreadableError](err)
	typed := corrupt || unreadable || errors.Is(err, history.ErrIncomplete) || errors.Is(err, archive.ErrNoBackup) || errors.Is(err, history.ErrNoPoint) || errors.Is(err, target.ErrNotExist)
	if len(names) > 1 && h.backups == nil && errors.Is(err, target.ErrNotExist) { // all of a timeline is gone, and nothing tells of it
		return
	}
	for _, name := range names {
		id := strings.TrimSuffix(filepath.Base(name), filepath.Ext(name))
		if typed && (strings.Contains(err.Error(), id) || strings.Contains(name, "/backups/")) {
			return
		}
	}
	if e, ok := errors.AsType[*history.MissingError](err); ok && e.Between[0].ID != 0 && len(names) > 0 {
		return
	}
	if e, ok := errors.AsType[*history.PointError](err); ok && h.untold && e.Later { // what came last is gone, and nothing tells of it
		return
	}
	h.T.Errorf("%s: %v", what, err)
}

// planned checks that a plan is for the point that was asked for, or says why not.
func (h *holed) planned(what string, p history.Point, plan *history.Plan, names []string) {
	h.T.Helper()
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
		h.T.Errorf("%s: less than was asked for: up to %d, since %v", what, plan.Seq, plan.Hole)
	case plan.Hole != nil:
		h.named(what, plan.Hole, names)
	case plan.Seq != want && !(p.Seq == 0 && p.Backup == 0 && h.untold):
		h.T.Errorf("%s: sequence number %d, want %d", what, plan.Seq, want)
	}
}

// unknowable reports whether the newest log of timeline b is gone with what tells of it.
func (h *holed) unknowable(names []string, how []injury) bool {
	last := slices.IndexFunc(names, func(n string) bool { return strings.HasSuffix(n, "08.seg") })
	told := h.backups != nil && !slices.ContainsFunc(names, func(n string) bool { return strings.Contains(n, "backups/") })
	return last >= 0 && how[last].do == nil && !told
}

// reads checks that what is read is the state of the plan.
func (h *holed) reads(what string, a *archive.Archive, plan *history.Plan, names []string) {
	h.T.Helper()
	want := h.states[plan.Timeline][plan.Seq]
	if want == nil {
		h.T.Fatalf("%s: a plan for number %d of timeline %v", what, plan.Seq, plan.Timeline)
	}
	r := inplace.NewReader(h.T.Context(), a, plan, nil)
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
		archivetest.Same(h.T, what+": scanned in place", got, want)
	}
	for _, key := range []string{"a", "b", "c", "d", "e"} {
		rec, err := r.Get([]byte(key))
		switch value, there := want[key]; {
		case errors.Is(err, segment.ErrNotFound) && !there, err == nil && there && string(rec.Value) == value:
		case err == nil || errors.Is(err, segment.ErrNotFound):
			h.T.Errorf("%s: get %q: %v, want %q", what, key, err, value)
		default:
			h.named(what+": get", err, names)
		}
	}
}

// TestARestoreAndAStoreNameTheHole restores injured archives, and opens points of them as stores.
func TestARestoreAndAStoreNameTheHole(t *testing.T) {
	h := newHoled(t, false)
	names := h.V.Names()
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
	h.T.Helper()
	what := in.what + ": " + name
	a := h.injure([]string{name}, []injury{in}).Archive(h.T)
	for _, p := range []history.Point{{Timeline: lineB}, {Timeline: lineB, AcceptOlder: true}, {Backup: 1}} {
		plan, err := history.At(h.T.Context(), a, h.UUID, p)
		if err != nil {
			h.named(what, err, []string{name})
			continue
		}
		dest := filepath.Join(h.T.TempDir(), "dest")
		if _, err := restore.Run(h.T.Context(), a, dest, restore.Options{Plan: plan}); err != nil {
			h.named(what, err, []string{name})
			continue
		}
		archivetest.ReadsTo(h.T, what, dest, h.states[plan.Timeline][plan.Seq])
	}
}

// asStore opens points of an injured archive as stores.
func (h *holed) asStore(name string, in injury) {
	h.T.Helper()
	what := in.what + ": as a store: " + name
	a := h.injure([]string{name}, []injury{in}).Archive(h.T)
	for _, p := range []history.Point{{Timeline: lineB}, {Timeline: lineB, AcceptOlder: true}, {Backup: 1}} {
		plan, err := history.At(h.T.Context(), a, h.UUID, p)
		if err != nil {
			h.named(what, err, []string{name})
			continue
		}
		got, err := opened(h.T.Context(), plan)
		if err != nil {
			h.named(what, err, []string{name})
			continue
		}
		archivetest.Same(h.T, what, got, h.states[plan.Timeline][plan.Seq])
	}
}

// opened returns the objects of a plan, opened as a store.
func opened(ctx context.Context, plan *history.Plan) (map[string]string, error) {
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
