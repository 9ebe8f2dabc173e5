package prune

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/internal/archivesim"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
	"pgregory.net/rapid"
)

// pruneWorld is a store with its copies, an archive of it, and a clock, for random
// operations.
type pruneWorld struct {
	t       *testing.T
	r       *rapid.T
	target  *archivesim.Target
	a       *archive.Archive
	now     time.Time
	lines   segment.Timeline     // given so far
	writers []*archivesim.Writer // that live
	backups map[uint64][]segment.Ref
	pins    []simPin
	pruned  int
}

type simPin struct {
	refs    []segment.Ref
	expires time.Time
}

// TestPruneKeepsWhatIsNeeded lets random writers roll, compact, crash, be copied and
// be restored to old points, with backups, restores and prunes of random policies
// in between, and a pin that comes while a prune is at work. After each prune:
// every backup and every pin has its segments, every living writer finds in the
// archive what it builds on, every tip's newest state and every point in the
// window can be restored if they could before, and what is gone has a marker.
func TestPruneKeepsWhatIsNeeded(t *testing.T) {
	deleted := 0
	rapid.Check(t, func(r *rapid.T) {
		w := &pruneWorld{t: t, r: r, now: time.Unix(1_700_000_000, 0).UTC(), lines: 1, backups: map[uint64][]segment.Ref{}}
		w.target = archivesim.NewTarget(func() time.Time { return w.now })
		w.a = archivesim.Open(t, w.target)
		w.writers = []*archivesim.Writer{archivesim.NewWriter(t, 1, w.now)}
		r.Repeat(map[string]func(*rapid.T){
			"write":   w.write,
			"write2":  w.write,
			"compact": w.compact,
			"adopt":   w.adopt,
			"ship":    w.ship,
			"wait":    w.wait,
			"crash":   w.crash,
			"copy":    w.copyOf,
			"restore": w.restore,
			"backup":  w.backup,
			"delete":  w.deleteBackup,
			"pin":     w.pin,
			"prune":   w.prune,
			"prune2":  w.prune,
		})
		deleted += w.pruned
	})
	if deleted == 0 && !testing.Short() { // in which there are few checks
		t.Error("no prune deleted anything: the test proves nothing")
	}
}

func (w *pruneWorld) writer(r *rapid.T) *archivesim.Writer {
	return w.writers[rapid.IntRange(0, len(w.writers)-1).Draw(r, "writer")]
}

func (w *pruneWorld) line() segment.Timeline {
	w.lines++
	return w.lines
}

// tick lets a little time pass, much less than an output may wait for its adoption.
func (w *pruneWorld) tick() { w.now = w.now.Add(time.Second) }

func (w *pruneWorld) write(r *rapid.T) {
	x := w.writer(r)
	x.Puts += rapid.IntRange(0, 2).Draw(r, "puts")
	if rapid.Bool().Draw(r, "tidy") {
		x.Tidy()
	}
	w.tick()
	x.Roll(w.now)
}

func (w *pruneWorld) compact(r *rapid.T) {
	x := w.writer(r)
	free := x.Live
	for _, o := range x.Outputs {
		free = archivesim.LessRefs(free, o.Retire)
	}
	if len(free) == 0 {
		return
	}
	w.tick()
	x.Compact(archivesim.SortedRefs(rapid.SliceOfN(rapid.SampledFrom(free), 1, 4).Draw(r, "retire")), w.now)
}

func (w *pruneWorld) adopt(r *rapid.T) { w.writer(r).Adopt() }

func (w *pruneWorld) ship(r *rapid.T) {
	x := w.writer(r)
	refs := archivesim.SortedRefs(slices.Collect(keysSeq(x.ToShip)))
	n := rapid.IntRange(0, len(refs)).Draw(r, "how many")
	for _, ref := range refs {
		if rapid.IntRange(1, len(refs)).Draw(r, "which") <= n {
			w.shipOne(x, ref)
		}
	}
}

func (w *pruneWorld) shipOne(x *archivesim.Writer, ref segment.Ref) {
	w.target.Plant(w.t, archive.SegmentName(archivesim.UUID, ref), x.ToShip[ref])
	delete(x.ToShip, ref)
}

func (w *pruneWorld) shipAll(x *archivesim.Writer) {
	for _, ref := range slices.Collect(keysSeq(x.ToShip)) {
		w.shipOne(x, ref)
	}
}

// wait lets hours pass. No writer leaves an output unadopted for so long.
func (w *pruneWorld) wait(r *rapid.T) {
	for _, x := range w.writers {
		x.Adopt()
	}
	w.now = w.now.Add(time.Duration(rapid.IntRange(1, 100).Draw(r, "hours")) * time.Hour)
}

func (w *pruneWorld) crash(r *rapid.T) {
	i := rapid.IntRange(0, len(w.writers)-1).Draw(r, "who")
	w.tick()
	w.writers[i] = w.writers[i].Crash(w.line(), w.now)
}

// copyOf lets a copy of a store be written to beside it. Each ships at once what
// tells them apart.
func (w *pruneWorld) copyOf(r *rapid.T) {
	x := w.writer(r)
	if len(w.writers) > 3 {
		return
	}
	w.tick()
	c := x.Crash(w.line(), w.now)
	c.ToShip = map[segment.Ref][]byte{}
	w.shipAll(x)
	for _, y := range []*archivesim.Writer{x, c} {
		y.Puts++
		y.Roll(w.now)
		w.shipAll(y)
	}
	w.writers = append(w.writers, c)
}

// restore makes a writer of an old point.
func (w *pruneWorld) restore(r *rapid.T) {
	x := w.writer(r)
	have := w.target.SegmentsThere()
	var at []int
	for k, l := range x.Chain {
		if !slices.ContainsFunc(slices.Collect(l.Hdr.Live.With(l.Hdr.Ref).All()), func(ref segment.Ref) bool { return !have[ref] }) {
			at = append(at, k)
		}
	}
	if len(at) == 0 || len(w.writers) > 3 {
		return
	}
	var next segment.ID
	for _, y := range w.writers {
		next = max(next, y.NextID)
	}
	w.tick()
	n := x.Restored(rapid.SampledFrom(at).Draw(r, "log"), w.line(), next, w.now)
	n.Puts++
	n.Roll(w.now)
	w.shipAll(n)
	// Its parent may be a store that lives, all of it archived up to the point: it
	// ships something later, and is a tip as well.
	x.Puts++
	x.Roll(w.now)
	w.shipAll(x)
	w.writers = append(w.writers, n)
}

func (w *pruneWorld) backup(r *rapid.T) {
	x := w.writer(r)
	w.tick()
	x.Roll(w.now)
	w.shipAll(x)
	b := &archive.Backup{Time: w.now, Store: archivesim.UUID, Tip: x.Chain[len(x.Chain)-1].Hdr.Ref, Segments: segment.SetOf(x.Live...).Runs()}
	testkit.Must(w.t, w.a.PutBackup(w.t.Context(), b))
	if err := w.a.RefuseGone(w.t.Context(), archivesim.UUID, segment.SetOf(x.Live...), b.ID); err != nil {
		r.Fatalf("a backup of a living store finds its segments pruned: %v", err)
	}
	w.backups[b.ID] = x.Live
	w.check(r, "backup")
}

func (w *pruneWorld) deleteBackup(r *rapid.T) {
	if len(w.backups) == 0 {
		return
	}
	id := rapid.SampledFrom(slices.Sorted(maps.Keys(w.backups))).Draw(r, "id")
	testkit.Must(w.t, w.a.DeleteBackup(w.t.Context(), archivesim.UUID, id))
	delete(w.backups, id)
}

// pin pins what a restore to an old point reads.
func (w *pruneWorld) pin(r *rapid.T) {
	x := w.writer(r)
	if len(x.Chain) == 0 {
		return
	}
	l := rapid.SampledFrom(x.Chain).Draw(r, "log")
	w.pinNow(slices.Collect(l.Hdr.Live.With(l.Hdr.Ref).All()))
}

// pinNow pins refs if they are all there, and, if the pin is granted, expects that they
// stay.
func (w *pruneWorld) pinNow(refs []segment.Ref) {
	have := w.target.SegmentsThere()
	if slices.ContainsFunc(refs, func(r segment.Ref) bool { return !have[r] }) {
		return
	}
	ttl := 48 * time.Hour
	real := time.Now()
	_, err := w.a.Pin(context.Background(), archivesim.UUID, refs, "a restore", w.now.Add(ttl).Sub(real))
	if errors.Is(err, archive.ErrPruned) {
		return
	}
	testkit.Must(w.t, err)
	w.pins = append(w.pins, simPin{refs, w.now.Add(ttl)})
}

// keysSeq yields the keys of a map.
func keysSeq[K comparable, V any](m map[K]V) func(func(K) bool) {
	return func(yield func(K) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func (w *pruneWorld) prune(r *rapid.T) {
	o := Options{Now: w.now, Grace: 24 * time.Hour}
	o.Keep = rapid.IntRange(0, 3).Draw(r, "keep")
	o.KeepWithin = time.Duration(rapid.IntRange(0, 100).Draw(r, "within")) * time.Hour
	o.Window = time.Duration(rapid.SampledFrom([]int{0, 1, 50, 200}).Draw(r, "window")) * time.Hour
	o.DryRun = rapid.IntRange(0, 4).Draw(r, "dry") == 0
	o.Explain = true
	if len(w.writers) > 1 && rapid.IntRange(0, 3).Draw(r, "drop") == 0 {
		i := rapid.IntRange(0, len(w.writers)-1).Draw(r, "tip")
		x := w.writers[i]
		if x.Hdr.Ref.Timeline != 0 && len(x.Chain) > 0 && x.Chain[len(x.Chain)-1].Hdr.Ref.Timeline == x.Line() && len(x.ToShip) == 0 {
			o.DropTips = []segment.Timeline{x.Line()}
			w.writers = slices.Delete(slices.Clone(w.writers), i, i+1)
		}
	}
	have := w.target.SegmentsThere()
	before := w.promises(have, w.now.Add(-o.Window))
	if k := rapid.IntRange(0, 40).Draw(r, "pin comes at"); k > 0 {
		x := w.writer(r)
		var left atomic.Int64
		left.Store(int64(k))
		w.target.Before = func(op, _ string) {
			if op != "put" && op != "delete" || len(x.Chain) == 0 {
				return
			}
			if left.Add(-1) == 0 {
				l := x.Chain[len(x.Chain)/2]
				w.pinNow(slices.Collect(l.Hdr.Live.With(l.Hdr.Ref).All()))
			}
		}
	}
	rep, err := Run(w.t.Context(), w.a, archivesim.UUID, o)
	w.target.Before = nil
	if err != nil {
		if errors.Is(err, target.ErrNotExist) && len(have) == 0 {
			return
		}
		r.Fatalf("prune: %v", err)
	}
	if !o.DryRun {
		for _, id := range rep.Backups {
			delete(w.backups, id)
		}
	}
	w.pruned += rep.Deleted.Segments
	w.explained(r, rep, have)
	after := w.promises(w.target.SegmentsThere(), w.now.Add(-o.Window))
	for p := range before {
		if !after[p] {
			r.Fatalf("%s could be restored before a prune with window %v, and cannot be after: %+v", p, o.Window, rep)
		}
	}
	w.check(r, "prune")
}

// promises returns the points that can be restored and must stay so: those since
// begin, and the newest that can be, of each tip.
func (w *pruneWorld) promises(have map[segment.Ref]bool, begin time.Time) map[string]bool {
	p := map[string]bool{}
	for _, x := range w.writers {
		newest := true
		for k := len(x.Chain) - 1; k >= 0; k-- {
			l := x.Chain[k]
			ok := archivesim.Restorable(x.Chain, k, have)
			if ok && (newest || l.End >= begin.UnixNano()) {
				p[fmt.Sprintf("log %v on the way to tip %v", l.Hdr.Ref, x.Line())] = true
			}
			newest = newest && !ok
		}
	}
	return p
}

// check holds the archive against everything that must be in it.
func (w *pruneWorld) check(r *rapid.T, after string) {
	have := w.target.SegmentsThere()
	wants := func(who string, refs []segment.Ref) {
		for _, ref := range refs {
			if !have[ref] {
				r.Fatalf("after a %s, %s lacks segment %v", after, who, ref)
			}
		}
	}
	for id, refs := range w.backups {
		wants(fmt.Sprintf("backup %d", id), refs)
	}
	for _, p := range w.pins {
		if p.expires.After(w.now) {
			wants("a restore", p.refs)
		}
	}
	for _, x := range w.writers {
		var shipped []segment.Ref
		for _, ref := range x.Needs() {
			if _, there := x.ToShip[ref]; !there {
				shipped = append(shipped, ref)
			}
		}
		wants(fmt.Sprintf("the writer on %v", x.Line()), shipped)
	}
}

// explained holds the explanation against the archive: each segment that was there
// once, and kept or not as it came.
func (w *pruneWorld) explained(r *rapid.T, rep *Report, before map[segment.Ref]bool) {
	told := map[segment.Ref]bool{}
	after := w.target.SegmentsThere()
	for _, e := range rep.Explain {
		for ref := range e.Run.All() {
			if told[ref] || !before[ref] {
				r.Fatalf("the explanation tells of %v twice, or of nothing", ref)
			}
			told[ref] = true
			if e.Keep && !after[ref] {
				r.Fatalf("%v is explained as kept (%s) and gone", ref, e.Why)
			}
			_, marked := w.target.Look(archive.RefName(archivesim.UUID, ref, "gone"))
			if !after[ref] != marked {
				r.Fatalf("%v: there %v, marked as gone %v", ref, after[ref], marked)
			}
		}
	}
	if len(told) != len(before) {
		r.Fatalf("the explanation tells of %d segments of %d", len(told), len(before))
	}
}
