package prune

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

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/internal/archivesim"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
)

// pruneScene is an archive of one writer: logs 1 to 6, log 7 in which 1 to 3 were
// replaced by output 8, and log 9, six hours each. Nothing needs 1 to 3.
type pruneScene struct {
	t      *testing.T
	target *archivesim.Target
	a      *archive.Archive
	w      *archivesim.Writer
	now    time.Time
}

func newPruneScene(t *testing.T) *pruneScene {
	s := &pruneScene{t: t, now: time.Unix(1_700_000_000, 0).UTC()}
	s.target = archivesim.NewTarget(func() time.Time { return s.now })
	s.a = archivesim.Open(t, s.target)
	s.w = archivesim.NewWriter(t, 1, s.now)
	for range 6 {
		s.roll()
	}
	s.w.Compact(archivesim.Refs(1, 1, 2, 3), s.now)
	s.w.Adopt()
	s.roll()
	s.roll()
	return s
}

// roll writes a log, and ships it with all else; six hours pass.
func (s *pruneScene) roll() {
	s.w.Puts++
	s.now = s.now.Add(6 * time.Hour)
	s.w.Roll(s.now)
	s.ship(s.w)
}

func (s *pruneScene) ship(w *archivesim.Writer) {
	for ref, b := range w.ToShip {
		s.target.Plant(s.t, archive.SegmentName(archivesim.UUID, ref), b)
		delete(w.ToShip, ref)
	}
}

func (s *pruneScene) prune(o Options) *Report {
	s.t.Helper()
	o.Now = s.now
	rep, err := Run(s.t.Context(), s.a, archivesim.UUID, o)
	testkit.Must(s.t, err)
	return rep
}

// there returns the segments in the archive.
func (s *pruneScene) there() []segment.Ref {
	var refs []segment.Ref
	for ref := range s.target.SegmentsThere() {
		refs = append(refs, ref)
	}
	return archivesim.SortedRefs(refs)
}

// evident holds the archive to what a prune must leave wherever it is cut off: what is
// gone is marked, or in a plan that waits no more, and what is needed is there.
func (s *pruneScene) evident(when string) {
	s.t.Helper()
	if err := evident(s.t.Context(), s.a, archivesim.Refs(1, 4, 5, 6, 7, 8, 9)); err != nil {
		s.t.Errorf("%s: %v", when, err)
	}
}

// evident is pruneScene.evident with an error, for segments 1 to 9, of which some are
// needed.
func evident(ctx context.Context, a *archive.Archive, needed []segment.Ref) error {
	plans, err := a.PrunePlans(ctx, archivesim.UUID)
	if err != nil {
		return err
	}
	gone, err := a.Begun(ctx, archivesim.UUID, plans, 0)
	if err != nil {
		return err
	}
	c, err := a.Contents(ctx, archivesim.UUID, 1)
	if err != nil {
		return err
	}
	gone = gone.With(c.Gone...)
	for id := segment.ID(1); id <= 9; id++ {
		ref := segment.Ref{Timeline: 1, ID: id}
		_, there := archive.Find(c.Segments, id)
		if !there && !gone.Has(ref) {
			err = errors.Join(err, fmt.Errorf("segment %v is gone, and nothing says that it was pruned", ref))
		}
		if slices.Contains(needed, ref) && (!there || gone.Has(ref)) {
			err = errors.Join(err, fmt.Errorf("segment %v is needed: there %v, pruned %v", ref, there, gone.Has(ref)))
		}
	}
	return err
}

func (s *pruneScene) backup(refs ...segment.Ref) *archive.Backup {
	s.t.Helper()
	b := &archive.Backup{Time: s.now, Store: archivesim.UUID, Tip: refs[len(refs)-1], Segments: segment.SetOf(refs...).Runs()}
	testkit.Must(s.t, s.a.PutBackup(s.t.Context(), b))
	return b
}

func TestPruneDeletesInTheFirstPruneAfterTheGrace(t *testing.T) {
	s := newPruneScene(t)
	all := s.there()
	rep := s.prune(Options{})
	if rep.Planned.Segments != 3 || rep.Deleted.Segments != 0 {
		t.Errorf("first prune: %+v, want 3 planned and none deleted", rep)
	}
	s.now = s.now.Add(23 * time.Hour)
	rep = s.prune(Options{})
	if rep.Waiting.Segments != 3 || rep.Planned.Segments != 0 {
		t.Errorf("prune within the grace: %+v, want 3 waiting and none planned", rep)
	}
	archivesim.EqualRefs(t, "within the grace", s.there(), all)
	s.now = s.now.Add(2 * time.Hour)
	if rep = s.prune(Options{DryRun: true}); rep.Deleted.Segments != 3 {
		t.Errorf("dry run: %+v, want 3 that would be deleted", rep)
	}
	archivesim.EqualRefs(t, "after a dry run", s.there(), all)
	if rep = s.prune(Options{}); rep.Deleted.Segments != 3 || rep.Kept.Segments != 6 {
		t.Errorf("after the grace: %+v, want 3 deleted, 6 kept", rep)
	}
	archivesim.EqualRefs(t, "after the grace", s.there(), archivesim.Refs(1, 4, 5, 6, 7, 8, 9))
	for _, ref := range archivesim.Refs(1, 1, 2, 3) {
		if _, ok := s.target.Look(archive.RefName(archivesim.UUID, ref, "gone")); !ok {
			t.Errorf("%v has no marker", ref)
		}
	}
	if rep = s.prune(Options{}); rep.Deleted.Segments+rep.Planned.Segments+rep.Waiting.Segments != 0 {
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
		rep := s.prune(Options{Policy: Policy{Window: time.Duration(c.hours) * time.Hour}, DryRun: true})
		if rep.Planned.Segments != c.free {
			t.Errorf("window of %d hours: %d segments are free, want %d", c.hours, rep.Planned.Segments, c.free)
		}
	}
}

func TestPruneSparesWhatIsPinnedWhileItWorks(t *testing.T) {
	for _, when := range []string{".wait", ".seg"} { // the name of what is being deleted
		s := newPruneScene(t)
		s.prune(Options{})
		s.now = s.now.Add(25 * time.Hour)
		doomed := archivesim.Refs(1, 1, 2, 3)
		var pinErr error
		var pinned atomic.Bool // several goroutines delete
		s.target.Before = func(op, name string) {
			if op != "delete" || !strings.HasSuffix(name, when) || !pinned.CompareAndSwap(false, true) {
				return
			}
			_, pinErr = s.a.Pin(context.Background(), archivesim.UUID, doomed, "a restore", 1<<40*time.Nanosecond)
		}
		s.prune(Options{})
		if !pinned.Load() {
			t.Fatalf("%s: nobody pinned anything", when)
		}
		left := s.there()
		switch {
		case when == ".wait":
			testkit.Must(t, pinErr)
			archivesim.EqualRefs(t, "pinned in time", left, archivesim.Refs(1, 1, 2, 3, 4, 5, 6, 7, 8, 9))
			if _, ok := s.target.Look(archive.RefName(archivesim.UUID, doomed[0], "gone")); ok {
				t.Error("a segment that was spared is marked as gone")
			}
		case !errors.Is(pinErr, archive.ErrPruned):
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
			s.prune(Options{})
			s.now = s.now.Add(25 * time.Hour)
			b := s.backup(archivesim.Refs(1, 4, 5)...)
			object := archivesim.BackupName(b.ID, "json")
			switch kind {
			case "restore":
				_, err := s.a.Pin(t.Context(), archivesim.UUID, archivesim.Refs(1, 4, 5), "a restore", 1e18)
				testkit.Must(t, err)
				object, err = target.FirstName(t.Context(), s.a.Target(), archivesim.Folder("restores"), "")
				testkit.Must(t, err)
			case "plan":
				object, _ = target.FirstName(t.Context(), s.a.Target(), archivesim.Folder("prune"), "")
			}
			o, _ := s.target.Look(object)
			o.B = spoil(bytes.Clone(o.B))
			s.target.Objects[object] = o
			before := s.there()
			_, err := Run(t.Context(), s.a, archivesim.UUID, Options{Now: s.now, Policy: Policy{Keep: 1}})
			if name == "a changed digit" && kind == "plan" {
				continue // its run is of three
			}
			if u, ok := errors.AsType[*archive.UnreadableError](err); !ok || !strings.HasSuffix(u.Object, object) {
				t.Errorf("%s, %s: error %v, want one that names %s", kind, name, err, object)
			}
			archivesim.EqualRefs(t, kind+", "+name, s.there(), before)
			if _, err := s.a.Backup(t.Context(), archivesim.UUID, b.ID); (kind == "backup") != (err != nil) {
				t.Errorf("%s, %s: the backup: %v", kind, name, err)
			}
		}
	}
}

func TestPruneNeverDeletesWhatItCannotRead(t *testing.T) {
	s := newPruneScene(t)
	s.prune(Options{})
	s.now = s.now.Add(25 * time.Hour)
	spoil := func(id segment.ID, fn func(b []byte) []byte) {
		name := archive.SegmentName(archivesim.UUID, archivesim.Refs(1, id)[0])
		o, _ := s.target.Look(name)
		o.B = fn(bytes.Clone(o.B))
		s.target.Objects[name] = o
	}
	spoil(1, func(b []byte) []byte { b[20] ^= 1; return b }) // damaged
	spoil(2, func([]byte) []byte {
		o, _ := s.target.Look(archive.SegmentName(archivesim.UUID, archivesim.Refs(1, 4)[0]))
		return o.B
	}) // another segment
	s.target.Plant(t, archivesim.UUID.String()+"/0000000000000001/README.txt", []byte("mine")) // not varve's
	s.target.Plant(t, "ac000000-0000-4000-8000-000000000001/0000000000000001/00000000000000000001.seg", []byte("of another store"))
	a, err := archive.Open(t.Context(), s.target) // it remembers no headers
	testkit.Must(t, err)
	rep, err := Run(t.Context(), a, archivesim.UUID, Options{Now: s.now})
	testkit.Must(t, err)
	if rep.Deleted.Segments != 1 || len(rep.Notes) != 3 {
		t.Errorf("%+v, want segment 3 deleted, and a note on each of three objects", rep)
	}
	archivesim.EqualRefs(t, "left", s.there(), archivesim.Refs(1, 1, 1, 2, 4, 5, 6, 7, 8, 9)[1:])
}

func TestATipIsGivenUpOnlyByName(t *testing.T) {
	s := newPruneScene(t)
	other := s.w.Restored(2, 2, 20, s.now) // after log 3
	other.Puts++
	other.Roll(s.now)
	s.ship(other)
	all := s.there()
	s.prune(Options{})
	s.now = s.now.Add(25 * time.Hour)
	s.prune(Options{})
	archivesim.EqualRefs(t, "both tips", s.there(), all)
	if _, err := Run(t.Context(), s.a, archivesim.UUID, Options{Now: s.now, Policy: Policy{DropTips: []segment.Timeline{9}}}); !errors.Is(err, target.ErrNotExist) {
		t.Errorf("giving up a timeline that is not there: %v", err)
	}
	rep := s.prune(Options{Policy: Policy{DropTips: []segment.Timeline{2}}})
	if rep.Planned.Segments != 4 {
		t.Errorf("giving up the other tip: %+v, want its log and the three that only it needs planned", rep)
	}
	s.now = s.now.Add(25 * time.Hour)
	s.prune(Options{}) // the plan remembers what was given up
	archivesim.EqualRefs(t, "after the grace", s.there(), archivesim.Refs(1, 4, 5, 6, 7, 8, 9))

	// One that goes on meanwhile is not given up.
	s = newPruneScene(t)
	other = s.w.Restored(2, 2, 20, s.now)
	other.Puts++
	other.Roll(s.now)
	s.ship(other)
	s.prune(Options{Policy: Policy{DropTips: []segment.Timeline{2}}})
	s.now = s.now.Add(25 * time.Hour)
	other.Puts++
	other.Roll(s.now)
	s.ship(other)
	all = s.there()
	s.prune(Options{})
	archivesim.EqualRefs(t, "a tip that went on", s.there(), all)
}

// TestAGivenUpTipStaysGivenUp keeps a part of it by a backup, for a while.
func TestAGivenUpTipStaysGivenUp(t *testing.T) {
	s := newPruneScene(t)
	other := s.w.Restored(6, 2, 20, s.now) // after log 7
	for range 2 {
		other.Puts++
		other.Roll(s.now)
	}
	s.ship(other)
	b := s.backup(append(archivesim.Refs(1, 4, 5, 6, 7), archivesim.Refs(2, 20)...)...)
	s.prune(Options{Policy: Policy{DropTips: []segment.Timeline{2}}})
	s.now = s.now.Add(25 * time.Hour)
	s.prune(Options{})
	archivesim.EqualRefs(t, "with the backup", s.there(), append(archivesim.Refs(1, 4, 5, 6, 7, 8, 9), archivesim.Refs(2, 20)...))
	testkit.Must(t, s.a.DeleteBackup(t.Context(), archivesim.UUID, b.ID))
	s.prune(Options{})
	s.now = s.now.Add(25 * time.Hour)
	s.prune(Options{})
	archivesim.EqualRefs(t, "without it", s.there(), archivesim.Refs(1, 4, 5, 6, 7, 8, 9))
}

// TestADropIsRemembered where nothing is free at the moment when a tip is given up: a
// backup holds it, or the window.
func TestADropIsRemembered(t *testing.T) {
	for _, keeps := range []string{"backup", "window"} {
		s := newPruneScene(t)
		s.prune(Options{Grace: -1})
		s.prune(Options{Grace: -1})            // 1 to 3 are gone
		other := s.w.Restored(7, 2, 20, s.now) // after log 9
		other.Puts++
		other.Roll(s.now)
		s.ship(other)
		s.roll() // so that both are tips
		all := s.there()
		var b *archive.Backup
		o := Options{Grace: -1}
		if keeps == "window" {
			o.Window = 48 * time.Hour
		} else {
			b = s.backup(append(archivesim.Refs(1, 4, 5, 6, 7, 8, 9), archivesim.Refs(2, 20)...)...)
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
		archivesim.EqualRefs(t, "kept by a "+keeps, s.there(), all)
		if p, err := history.At(t.Context(), s.a, archivesim.UUID, history.Point{}); err != nil || p.Timeline != 1 {
			t.Errorf("%s: with a tip given up, the newest state: %+v, %v", keeps, p, err)
		}
		if p, err := history.At(t.Context(), s.a, archivesim.UUID, history.Point{Timeline: 2}); err != nil || p.Timeline != 2 {
			t.Errorf("%s: the newest state of the tip given up, by name: %+v, %v", keeps, p, err)
		}
		s.now = s.now.Add(72 * time.Hour)
		if b != nil {
			testkit.Must(t, s.a.DeleteBackup(t.Context(), archivesim.UUID, b.ID))
		}
		for range 2 {
			s.prune(o)
		}
		archivesim.EqualRefs(t, "held by no "+keeps, s.there(), archivesim.Refs(1, 4, 5, 6, 7, 8, 9, 10))
	}
}

func TestATimelineThatIsContinuedIsNoTip(t *testing.T) {
	s := newPruneScene(t)
	// Two crashes, of which the first left nothing in the archive.
	w := s.w.Crash(2, s.now).Crash(3, s.now)
	s.w = w
	s.roll()
	_, err := Run(t.Context(), s.a, archivesim.UUID, Options{Now: s.now, Policy: Policy{DropTips: []segment.Timeline{1}}})
	if err == nil || !strings.Contains(err.Error(), "0000000000000003 goes on from it") {
		t.Errorf("giving up what was continued: %v", err)
	}
}

// TestAPruneThatIsCutOffIsFinishedByTheNext fails every request once, and holds what
// two more prunes leave to what an undisturbed one does.
func TestAPruneThatIsCutOffIsFinishedByTheNext(t *testing.T) {
	for n := 1; ; n++ {
		s := newPruneScene(t)
		s.backup(archivesim.Refs(1, 4, 5)...)
		s.backup(archivesim.Refs(1, 5, 6)...)
		s.prune(Options{})
		s.now = s.now.Add(25 * time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		a, err := archive.Open(t.Context(), cutOff{s.target, ctx})
		testkit.Must(t, err)
		var left atomic.Int64
		left.Store(int64(n))
		s.target.Before = func(op, _ string) {
			if op == "put" || op == "delete" {
				if left.Add(-1) == 0 {
					cancel()
				}
			}
		}
		_, err = Run(ctx, a, archivesim.UUID, Options{Now: s.now, Policy: Policy{Keep: 1}})
		cancel()
		s.target.Before = nil
		s.evident(fmt.Sprintf("cut off at change %d", n))
		if left.Load() > 0 && err == nil {
			if n < 8 {
				t.Fatalf("a prune made %d changes only", n-1)
			}
			return
		}
		for range 2 {
			s.now = s.now.Add(25 * time.Hour)
			s.prune(Options{Policy: Policy{Keep: 1}})
		}
		archivesim.EqualRefs(t, "in the end", s.there(), archivesim.Refs(1, 4, 5, 6, 7, 8, 9))
		bs, err := s.a.Backups(t.Context(), archivesim.UUID)
		testkit.Must(t, err)
		if len(bs) != 1 || bs[0].ID != 2 {
			t.Errorf("cut off at change %d: backups left: %v", n, bs)
		}
		if names, err := s.a.BackupNames(t.Context(), archivesim.UUID); err != nil || len(names.Leftover) != 0 {
			t.Errorf("cut off at change %d: manifests of deleted backups left: %v, %v", n, names.Leftover, err)
		}
		if plans, err := s.a.PrunePlans(t.Context(), archivesim.UUID); err != nil || len(plans) != 0 {
			t.Errorf("cut off at change %d: plans left: %v, %v", n, plans, err)
		}
	}
}

// cutOff is a target whose process ends with ctx: later changes are not made.
type cutOff struct {
	*archivesim.Target
	ctx context.Context
}

func (c cutOff) Put(ctx context.Context, name string, r io.ReaderAt, size int64, sum [32]byte) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	return errors.Join(c.Target.Put(ctx, name, r, size, sum), c.ctx.Err())
}

func (c cutOff) Delete(ctx context.Context, name string) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	return errors.Join(c.Target.Delete(ctx, name), c.ctx.Err())
}
