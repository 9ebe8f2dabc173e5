package archiver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
)

// pruneScene is an archive of one writer: logs 1 to 6, log 7 in which 1 to 3 were
// replaced by output 8, and log 9, six hours each. Nothing needs 1 to 3.
type pruneScene struct {
	t      *testing.T
	target *simTarget
	a      *Archive
	w      *simWriter
	now    time.Time
}

func newPruneScene(t *testing.T) *pruneScene {
	s := &pruneScene{t: t, now: time.Unix(1_700_000_000, 0).UTC()}
	s.target = newSimTarget(func() time.Time { return s.now })
	s.a = simArchive(t, s.target)
	s.w = newSimWriter(t, 1, s.now)
	for range 6 {
		s.roll()
	}
	s.w.compact(simRefs(1, 1, 2, 3), s.now)
	s.w.adopt()
	s.roll()
	s.roll()
	return s
}

// simRefs returns refs of a timeline.
func simRefs(line segment.Timeline, ids ...segment.ID) (refs []segment.Ref) {
	for _, id := range ids {
		refs = append(refs, segment.Ref{Timeline: line, ID: id})
	}
	return refs
}

// roll writes a log, and ships it with all else; six hours pass.
func (s *pruneScene) roll() {
	s.w.puts++
	s.now = s.now.Add(6 * time.Hour)
	s.w.roll(s.now)
	s.ship(s.w)
}

func (s *pruneScene) ship(w *simWriter) {
	for ref, b := range w.toShip {
		s.target.put(s.t, segmentName(simUUID, ref), b)
		delete(w.toShip, ref)
	}
}

func (s *pruneScene) prune(o PruneOptions) *PruneReport {
	s.t.Helper()
	o.Now = s.now
	rep, err := Prune(s.t.Context(), s.a, simUUID, o)
	testkit.Must(s.t, err)
	return rep
}

// there returns the segments in the archive.
func (s *pruneScene) there() []segment.Ref {
	var refs []segment.Ref
	for ref := range s.target.segmentsThere() {
		refs = append(refs, ref)
	}
	return sortedRefs(refs)
}

// evident holds the archive to what a prune must leave wherever it is cut off: what is
// gone is marked, or in a plan that waits no more, and what is needed is there.
func (s *pruneScene) evident(when string) {
	s.t.Helper()
	if err := evident(s.t.Context(), s.a, simRefs(1, 4, 5, 6, 7, 8, 9)); err != nil {
		s.t.Errorf("%s: %v", when, err)
	}
}

// evident is pruneScene.evident with an error, for segments 1 to 9, of which some are
// needed.
func evident(ctx context.Context, a *Archive, needed []segment.Ref) error {
	plans, err := a.prunePlans(ctx, simUUID)
	if err != nil {
		return err
	}
	gone, err := a.begun(ctx, simUUID, plans, 0)
	if err != nil {
		return err
	}
	c, err := a.Contents(ctx, simUUID, 1)
	if err != nil {
		return err
	}
	gone.addRefs(c.Gone)
	for id := segment.ID(1); id <= 9; id++ {
		ref := segment.Ref{Timeline: 1, ID: id}
		_, there := find(c.Segments, id)
		if !there && !gone.has(ref) {
			err = errors.Join(err, fmt.Errorf("segment %v is gone, and nothing says that it was pruned", ref))
		}
		if slices.Contains(needed, ref) && (!there || gone.has(ref)) {
			err = errors.Join(err, fmt.Errorf("segment %v is needed: there %v, pruned %v", ref, there, gone.has(ref)))
		}
	}
	return err
}

func (s *pruneScene) backup(refs ...segment.Ref) *Backup {
	s.t.Helper()
	b := &Backup{Time: s.now, Store: simUUID, Tip: refs[len(refs)-1], Segments: setOf(refs).normal()}
	testkit.Must(s.t, s.a.PutBackup(s.t.Context(), b))
	return b
}

func equalRefs(t *testing.T, what string, got, want []segment.Ref) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestPruneDeletesInTheFirstPruneAfterTheGrace(t *testing.T) {
	s := newPruneScene(t)
	all := s.there()
	rep := s.prune(PruneOptions{})
	if rep.Planned.Segments != 3 || rep.Deleted.Segments != 0 {
		t.Errorf("first prune: %+v, want 3 planned and none deleted", rep)
	}
	s.now = s.now.Add(23 * time.Hour)
	rep = s.prune(PruneOptions{})
	if rep.Waiting.Segments != 3 || rep.Planned.Segments != 0 {
		t.Errorf("prune within the grace: %+v, want 3 waiting and none planned", rep)
	}
	equalRefs(t, "within the grace", s.there(), all)
	s.now = s.now.Add(2 * time.Hour)
	if rep = s.prune(PruneOptions{DryRun: true}); rep.Deleted.Segments != 3 {
		t.Errorf("dry run: %+v, want 3 that would be deleted", rep)
	}
	equalRefs(t, "after a dry run", s.there(), all)
	if rep = s.prune(PruneOptions{}); rep.Deleted.Segments != 3 || rep.Kept.Segments != 6 {
		t.Errorf("after the grace: %+v, want 3 deleted, 6 kept", rep)
	}
	equalRefs(t, "after the grace", s.there(), simRefs(1, 4, 5, 6, 7, 8, 9))
	for _, ref := range simRefs(1, 1, 2, 3) {
		if _, ok := s.target.look(refName(simUUID, ref, "gone")); !ok {
			t.Errorf("%v has no marker", ref)
		}
	}
	if rep = s.prune(PruneOptions{}); rep.Deleted.Segments+rep.Planned.Segments+rep.Waiting.Segments != 0 {
		t.Errorf("a prune with nothing to do: %+v", rep)
	}
}

func TestPruneKeepsEveryPointOfTheWindow(t *testing.T) {
	s := newPruneScene(t)
	// Log 9, the first without 1 to 3 in its live set, was begun 6 hours ago.
	for _, c := range []struct {
		hours int
		free  int
	}{{1, 3}, {6, 3}, {7, 0}, {24, 0}, {100, 0}} {
		rep := s.prune(PruneOptions{Policy: Policy{Window: time.Duration(c.hours) * time.Hour}, DryRun: true})
		if rep.Planned.Segments != c.free {
			t.Errorf("window of %d hours: %d segments are free, want %d", c.hours, rep.Planned.Segments, c.free)
		}
	}
}

func TestPruneSparesWhatIsPinnedWhileItWorks(t *testing.T) {
	for _, when := range []string{".wait", ".seg"} { // the name of what is being deleted
		s := newPruneScene(t)
		s.prune(PruneOptions{})
		s.now = s.now.Add(25 * time.Hour)
		doomed := simRefs(1, 1, 2, 3)
		var pinErr error
		var pinned atomic.Bool // several goroutines delete
		s.target.before = func(op, name string) {
			if op != "delete" || !strings.HasSuffix(name, when) || !pinned.CompareAndSwap(false, true) {
				return
			}
			_, pinErr = s.a.Pin(context.Background(), simUUID, doomed, "a restore", 1<<40*time.Nanosecond)
		}
		s.prune(PruneOptions{})
		if !pinned.Load() {
			t.Fatalf("%s: nobody pinned anything", when)
		}
		left := s.there()
		switch {
		case when == ".wait":
			testkit.Must(t, pinErr)
			equalRefs(t, "pinned in time", left, simRefs(1, 1, 2, 3, 4, 5, 6, 7, 8, 9))
			if _, ok := s.target.look(refName(simUUID, doomed[0], "gone")); ok {
				t.Error("a segment that was spared is marked as gone")
			}
		case !errors.Is(pinErr, ErrPruned):
			t.Errorf("pin when a %s is deleted: %v, want it refused; there is %v", when, pinErr, left)
		}
	}
}

func TestPruneDeletesNothingWhileItCannotReadAPin(t *testing.T) {
	for name, spoil := range map[string]func(b []byte) []byte{
		"a newer format":  func(b []byte) []byte { return bytes.Replace(b, []byte(`"format": 1`), []byte(`"format": 2`), 1) },
		"a changed digit": func(b []byte) []byte { return bytes.Replace(b, []byte(`"count": 2`), []byte(`"count": 1`), 1) },
		"cut short":       func(b []byte) []byte { return b[:len(b)/2] },
		"empty":           func([]byte) []byte { return nil },
		"another's":       func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("ab000000"), []byte("ac000000")) },
	} {
		for _, kind := range []string{"backup", "restore", "plan"} {
			s := newPruneScene(t)
			s.prune(PruneOptions{})
			s.now = s.now.Add(25 * time.Hour)
			b := s.backup(simRefs(1, 4, 5)...)
			object := backupName(simUUID, b.ID, "json")
			switch kind {
			case "restore":
				_, err := s.a.Pin(t.Context(), simUUID, simRefs(1, 4, 5), "a restore", 1e18)
				testkit.Must(t, err)
				object, err = firstName(t.Context(), s.a.target, pinsOf(simUUID), "")
				testkit.Must(t, err)
			case "plan":
				object, _ = firstName(t.Context(), s.a.target, plansOf(simUUID), "")
			}
			o, _ := s.target.look(object)
			o.b = spoil(bytes.Clone(o.b))
			s.target.objects[object] = o
			before := s.there()
			_, err := Prune(t.Context(), s.a, simUUID, PruneOptions{Now: s.now, Policy: Policy{Keep: 1}})
			if name == "a changed digit" && kind == "plan" {
				continue // its run is of three
			}
			if u, ok := errors.AsType[*UnreadableError](err); !ok || !strings.HasSuffix(u.Object, object) {
				t.Errorf("%s, %s: error %v, want one that names %s", kind, name, err, object)
			}
			equalRefs(t, kind+", "+name, s.there(), before)
			if _, err := s.a.Backup(t.Context(), simUUID, b.ID); (kind == "backup") != (err != nil) {
				t.Errorf("%s, %s: the backup: %v", kind, name, err)
			}
		}
	}
}

func TestPruneNeverDeletesWhatItCannotRead(t *testing.T) {
	s := newPruneScene(t)
	s.prune(PruneOptions{})
	s.now = s.now.Add(25 * time.Hour)
	spoil := func(id segment.ID, fn func(b []byte) []byte) {
		name := segmentName(simUUID, simRefs(1, id)[0])
		o, _ := s.target.look(name)
		o.b = fn(bytes.Clone(o.b))
		s.target.objects[name] = o
	}
	spoil(1, func(b []byte) []byte { b[20] ^= 1; return b })                                                    // damaged
	spoil(2, func([]byte) []byte { o, _ := s.target.look(segmentName(simUUID, simRefs(1, 4)[0])); return o.b }) // another segment
	s.target.put(t, simUUID.String()+"/0000000000000001/README.txt", []byte("mine"))                            // not varve's
	s.target.put(t, "ac000000-0000-4000-8000-000000000001/0000000000000001/00000000000000000001.seg", []byte("of another store"))
	a, err := OpenArchive(t.Context(), s.target) // it remembers no headers
	testkit.Must(t, err)
	rep, err := Prune(t.Context(), a, simUUID, PruneOptions{Now: s.now})
	testkit.Must(t, err)
	if rep.Deleted.Segments != 1 || len(rep.Notes) != 3 {
		t.Errorf("%+v, want segment 3 deleted, and a note on each of three objects", rep)
	}
	equalRefs(t, "left", s.there(), simRefs(1, 1, 1, 2, 4, 5, 6, 7, 8, 9)[1:])
}

func TestATipIsGivenUpOnlyByName(t *testing.T) {
	s := newPruneScene(t)
	other := s.w.restored(2, 2, 20, s.now) // after log 3
	other.puts++
	other.roll(s.now)
	s.ship(other)
	all := s.there()
	s.prune(PruneOptions{})
	s.now = s.now.Add(25 * time.Hour)
	s.prune(PruneOptions{})
	equalRefs(t, "both tips", s.there(), all)
	if _, err := Prune(t.Context(), s.a, simUUID, PruneOptions{Now: s.now, Policy: Policy{DropTips: []segment.Timeline{9}}}); !errors.Is(err, ErrNotExist) {
		t.Errorf("giving up a timeline that is not there: %v", err)
	}
	rep := s.prune(PruneOptions{Policy: Policy{DropTips: []segment.Timeline{2}}})
	if rep.Planned.Segments != 4 {
		t.Errorf("giving up the other tip: %+v, want its log and the three that only it needs planned", rep)
	}
	s.now = s.now.Add(25 * time.Hour)
	s.prune(PruneOptions{}) // the plan remembers what was given up
	equalRefs(t, "after the grace", s.there(), simRefs(1, 4, 5, 6, 7, 8, 9))

	// One that goes on meanwhile is not given up.
	s = newPruneScene(t)
	other = s.w.restored(2, 2, 20, s.now)
	other.puts++
	other.roll(s.now)
	s.ship(other)
	s.prune(PruneOptions{Policy: Policy{DropTips: []segment.Timeline{2}}})
	s.now = s.now.Add(25 * time.Hour)
	other.puts++
	other.roll(s.now)
	s.ship(other)
	all = s.there()
	s.prune(PruneOptions{})
	equalRefs(t, "a tip that went on", s.there(), all)
}

// TestAGivenUpTipStaysGivenUp keeps a part of it by a backup, for a while.
func TestAGivenUpTipStaysGivenUp(t *testing.T) {
	s := newPruneScene(t)
	other := s.w.restored(6, 2, 20, s.now) // after log 7
	for range 2 {
		other.puts++
		other.roll(s.now)
	}
	s.ship(other)
	b := s.backup(append(simRefs(1, 4, 5, 6, 7), simRefs(2, 20)...)...)
	s.prune(PruneOptions{Policy: Policy{DropTips: []segment.Timeline{2}}})
	s.now = s.now.Add(25 * time.Hour)
	s.prune(PruneOptions{})
	equalRefs(t, "with the backup", s.there(), append(simRefs(1, 4, 5, 6, 7, 8, 9), simRefs(2, 20)...))
	testkit.Must(t, s.a.DeleteBackup(t.Context(), simUUID, b.ID))
	s.prune(PruneOptions{})
	s.now = s.now.Add(25 * time.Hour)
	s.prune(PruneOptions{})
	equalRefs(t, "without it", s.there(), simRefs(1, 4, 5, 6, 7, 8, 9))
}

// TestADropIsRemembered where nothing is free at the moment when a tip is given up: a
// backup holds it, or the window.
func TestADropIsRemembered(t *testing.T) {
	for _, keeps := range []string{"backup", "window"} {
		s := newPruneScene(t)
		s.prune(PruneOptions{Grace: -1})
		s.prune(PruneOptions{Grace: -1})       // 1 to 3 are gone
		other := s.w.restored(7, 2, 20, s.now) // after log 9
		other.puts++
		other.roll(s.now)
		s.ship(other)
		s.roll() // so that both are tips
		all := s.there()
		var b *Backup
		o := PruneOptions{Grace: -1}
		if keeps == "window" {
			o.Window = 48 * time.Hour
		} else {
			b = s.backup(append(simRefs(1, 4, 5, 6, 7, 8, 9), simRefs(2, 20)...)...)
		}
		drop := o
		drop.DropTips = []segment.Timeline{2}
		s.prune(drop)
		for range 2 {
			s.now = s.now.Add(time.Hour)
			if rep := s.prune(o); rep.Planned.Segments+rep.Deleted.Segments > 0 {
				t.Errorf("%s: %+v, want all kept", keeps, rep)
			}
		}
		equalRefs(t, "kept by a "+keeps, s.there(), all)
		if p, err := At(t.Context(), s.a, simUUID, Point{}); err != nil || p.Timeline != 1 {
			t.Errorf("%s: with a tip given up, the newest state: %+v, %v", keeps, p, err)
		}
		if p, err := At(t.Context(), s.a, simUUID, Point{Timeline: 2}); err != nil || p.Timeline != 2 {
			t.Errorf("%s: the newest state of the tip given up, by name: %+v, %v", keeps, p, err)
		}
		s.now = s.now.Add(72 * time.Hour)
		if b != nil {
			testkit.Must(t, s.a.DeleteBackup(t.Context(), simUUID, b.ID))
		}
		for range 2 {
			s.prune(o)
		}
		equalRefs(t, "held by no "+keeps, s.there(), simRefs(1, 4, 5, 6, 7, 8, 9, 10))
	}
}

func TestATimelineThatIsContinuedIsNoTip(t *testing.T) {
	s := newPruneScene(t)
	// Two crashes, of which the first left nothing in the archive.
	w := s.w.crash(2, s.now).crash(3, s.now)
	s.w = w
	s.roll()
	_, err := Prune(t.Context(), s.a, simUUID, PruneOptions{Now: s.now, Policy: Policy{DropTips: []segment.Timeline{1}}})
	if err == nil || !strings.Contains(err.Error(), "0000000000000003 goes on from it") {
		t.Errorf("giving up what was continued: %v", err)
	}
}

// TestAPruneThatIsCutOffIsFinishedByTheNext fails every request once, and holds what
// two more prunes leave to what an undisturbed one does.
func TestAPruneThatIsCutOffIsFinishedByTheNext(t *testing.T) {
	for n := 1; ; n++ {
		s := newPruneScene(t)
		s.backup(simRefs(1, 4, 5)...)
		s.backup(simRefs(1, 5, 6)...)
		s.prune(PruneOptions{})
		s.now = s.now.Add(25 * time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		a, err := OpenArchive(t.Context(), cutOff{s.target, ctx})
		testkit.Must(t, err)
		var left atomic.Int64
		left.Store(int64(n))
		s.target.before = func(op, _ string) {
			if op == "put" || op == "delete" {
				if left.Add(-1) == 0 {
					cancel()
				}
			}
		}
		_, err = Prune(ctx, a, simUUID, PruneOptions{Now: s.now, Policy: Policy{Keep: 1}})
		cancel()
		s.target.before = nil
		s.evident(fmt.Sprintf("cut off at change %d", n))
		if left.Load() > 0 && err == nil {
			if n < 8 {
				t.Fatalf("a prune made %d changes only", n-1)
			}
			return
		}
		for range 2 {
			s.now = s.now.Add(25 * time.Hour)
			s.prune(PruneOptions{Policy: Policy{Keep: 1}})
		}
		equalRefs(t, "in the end", s.there(), simRefs(1, 4, 5, 6, 7, 8, 9))
		bs, err := s.a.Backups(t.Context(), simUUID)
		testkit.Must(t, err)
		if len(bs) != 1 || bs[0].ID != 2 {
			t.Errorf("cut off at change %d: backups left: %v", n, bs)
		}
		if names, err := s.a.backupNames(t.Context(), simUUID); err != nil || len(names.leftover) != 0 {
			t.Errorf("cut off at change %d: manifests of deleted backups left: %v, %v", n, names.leftover, err)
		}
		if plans, err := s.a.prunePlans(t.Context(), simUUID); err != nil || len(plans) != 0 {
			t.Errorf("cut off at change %d: plans left: %v, %v", n, plans, err)
		}
	}
}

// cutOff is a target whose process ends with ctx: later changes are not made.
type cutOff struct {
	*simTarget
	ctx context.Context
}

func (c cutOff) Put(ctx context.Context, name string, r io.ReaderAt, size int64, sum [32]byte) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	return errors.Join(c.simTarget.Put(ctx, name, r, size, sum), c.ctx.Err())
}

func (c cutOff) Delete(ctx context.Context, name string) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	return errors.Join(c.simTarget.Delete(ctx, name), c.ctx.Err())
}
