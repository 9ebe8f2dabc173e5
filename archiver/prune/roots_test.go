package prune

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/internal/archivesim"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
)

// due is a scene in which a prune would delete segments 1 to 3.
func due(t *testing.T) *pruneScene {
	s := newPruneScene(t)
	s.prune(Options{})
	s.now = s.now.Add(25 * time.Hour)
	return s
}

// pinOf returns the bytes of a pin on segments, and its name.
func (s *pruneScene) pinOf(made time.Time, refs ...segment.Ref) (string, []byte) {
	p := &archive.Pin{ID: "0123456789abcdef", Store: archivesim.UUID, What: "a restore", Made: made, Expires: made.Add(time.Hour), Segments: segment.SetOf(refs...).Runs()}
	return p.Object(), archivesim.Manifest(s.t, p)
}

// TestPruneStopsAtAPinThatItCannotReadBetweenThePhases has a newer program pin
// something when the second phase begins: the prune that is at work deletes nothing,
// and its plan waits again.
func TestPruneStopsAtAPinThatItCannotReadBetweenThePhases(t *testing.T) {
	newer := func(b []byte) []byte { return bytes.Replace(b, []byte(`"format": 1`), []byte(`"format": 2`), 1) }
	for _, kind := range []string{"restore", "backup", "a name of nobody's"} {
		s := due(t)
		before := s.there()
		name, b := s.pinOf(s.now, archivesim.Refs(1, 1)...)
		switch kind {
		case "backup":
			bk := &archive.Backup{ID: 7, Store: archivesim.UUID, Tip: archivesim.Refs(1, 1)[0], Segments: segment.SetOf(archivesim.Refs(1, 1)...).Runs()}
			b = archivesim.Manifest(t, bk)
			name = archivesim.BackupName(7, "json")
		case "a name of nobody's":
			name = archivesim.Folder("restores") + "README"
		}
		var came atomic.Bool
		s.target.Before = func(op, at string) {
			if op == "delete" && strings.HasSuffix(at, ".wait") && came.CompareAndSwap(false, true) {
				s.target.Plant(t, name, newer(b))
			}
		}
		_, err := Run(t.Context(), s.a, archivesim.UUID, Options{Now: s.now})
		s.target.Before = nil
		if e, ok := errors.AsType[*archive.UnreadableError](err); !came.Load() || !ok || !strings.HasSuffix(e.Object, name) {
			t.Errorf("%s: %v, want an error that names %s", kind, err, name)
		}
		archivesim.EqualRefs(t, kind, s.there(), before)
		for _, ref := range before {
			if _, marked := s.target.Look(archive.RefName(archivesim.UUID, ref, "gone")); marked {
				t.Errorf("%s: the marker of %v is left", kind, ref)
			}
		}
		if plans, err := s.a.PrunePlans(t.Context(), archivesim.UUID); err != nil || len(plans) != 1 || !plans[0].Waits {
			t.Errorf("%s: the plan does not wait again: %v", kind, err)
		}
	}
}

func TestADryRunChangesNothing(t *testing.T) {
	s := newPruneScene(t)
	other := s.w.Restored(2, 2, 20, s.now)
	other.Puts++
	other.Roll(s.now)
	s.ship(other)
	s.backup(archivesim.Refs(1, 1, 2)...)
	s.backup(archivesim.Refs(1, 4, 5)...)
	s.prune(Options{Policy: Policy{DropTips: []segment.Timeline{2}}})
	s.now = s.now.Add(25 * time.Hour)
	s.target.Plant(t, archive.RefName(archivesim.UUID, archivesim.Refs(1, 4)[0], "gone"), []byte("{}")) // of a prune that was cut off
	before := maps.Clone(s.target.Objects)
	o := Options{DryRun: true, Explain: true, Policy: Policy{Keep: 1, DropTips: []segment.Timeline{2}}}
	rep := s.prune(o)
	same := maps.EqualFunc(s.target.Objects, before, func(a, b archivesim.Object) bool { return bytes.Equal(a.B, b.B) })
	if !same || len(rep.Backups) != 1 || rep.Deleted.Segments == 0 {
		t.Errorf("changed: %v; %+v", !same, rep)
	}
	// It said what a prune then does.
	o.DryRun = false
	if did := s.prune(o); did.Deleted != rep.Deleted || did.Planned != rep.Planned || did.Kept != rep.Kept {
		t.Errorf("a dry run said %+v, and then it was %+v", rep, did)
	}
}

// TestPruneStopsAtALogThatItCannotRead: the newest log of a timeline says what is
// needed.
func TestPruneStopsAtALogThatItCannotRead(t *testing.T) {
	for what, fn := range map[string]func(b []byte){
		"a newer format":    newerFormat,
		"damaged":           func(b []byte) { b[40] ^= 1 },
		"a damaged version": func(b []byte) { b[8] ^= 2 },
	} {
		s := due(t)
		name := archive.SegmentName(archivesim.UUID, archivesim.Refs(1, 9)[0])
		o, _ := s.target.Look(name)
		o.B = bytes.Clone(o.B)
		fn(o.B)
		if _, _, err := segment.ParseHeader(o.B); err == nil || errors.Is(err, segment.ErrVersion) != (what == "a newer format") {
			t.Fatalf("%s: the header reads as %v", what, err)
		}
		s.target.Objects[name] = o
		a, err := archive.Open(t.Context(), s.target)
		testkit.Must(t, err)
		before := maps.Clone(s.target.Objects)
		_, err = Run(t.Context(), a, archivesim.UUID, Options{Now: s.now})
		if e, ok := errors.AsType[*archive.UnreadableError](err); !ok || !strings.HasSuffix(e.Object, name) || len(s.target.Objects) != len(before) {
			t.Errorf("%s: %v; %d objects of %d are left", what, err, len(s.target.Objects), len(before))
		}
	}
}

// newerFormat makes a segment one of a newer format, which has its checksum over its own
// number.
func newerFormat(b []byte) {
	n := binary.LittleEndian.Uint32(b[12:])
	b[8]++
	binary.LittleEndian.PutUint32(b[n-4:], crc32.Checksum(b[:n-4], crc32.MakeTable(crc32.Castagnoli)))
}

// TestAPinOfAMachineWhoseClockIsBehindHolds as long as its maker meant it to, by the
// clock of the target.
func TestAPinOfAMachineWhoseClockIsBehindHolds(t *testing.T) {
	s := due(t)
	name, b := s.pinOf(s.now.Add(-48*time.Hour), archivesim.Refs(1, 1, 2)...)
	s.target.Plant(t, name, b)
	s.now = s.now.Add(30 * time.Minute)
	s.prune(Options{})
	archivesim.EqualRefs(t, "within the hour", s.there(), archivesim.Refs(1, 1, 2, 4, 5, 6, 7, 8, 9))
	s.now = s.now.Add(time.Hour)
	s.prune(Options{Grace: -1})
	s.prune(Options{Grace: -1})
	archivesim.EqualRefs(t, "after it", s.there(), archivesim.Refs(1, 4, 5, 6, 7, 8, 9))
}

// TestAPinIsRenewedWhileItsRestoreRuns for several times its own length, with a
// target that fails now and then; and no longer.
func TestAPinIsRenewedWhileItsRestoreRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newPruneScene(t)
		s.target.Now = time.Now
		refs := archivesim.Refs(1, 1, 2)
		a, err := archive.Open(t.Context(), &flaky{Target: s.target})
		testkit.Must(t, err)
		unpin, err := a.Pin(t.Context(), archivesim.UUID, refs, "a restore", time.Hour)
		testkit.Must(t, err)
		for range 100 {
			time.Sleep(7 * time.Minute)
			pins, _, err := s.a.Pins(t.Context(), archivesim.UUID, time.Now())
			testkit.Must(t, err)
			if len(pins) == 0 || !segment.SetOfRuns(pins[0].Segments...).Has(refs[1]) {
				t.Fatalf("pins: %v", pins)
			}
		}
		if names := s.target.Names(t, archivesim.Folder("restores")); len(names) != 1 {
			t.Errorf("pins that were replaced are left: %v", names)
		}
		for range 2 { // the second time there is nothing to do
			testkit.Must(t, unpin(t.Context()))
		}
		if names := s.target.Names(t, archivesim.Folder("restores")); len(names) != 0 {
			t.Errorf("after the restore: %v", names)
		}

		// One whose process was killed.
		ctx, kill := context.WithCancel(t.Context())
		_, err = s.a.Pin(ctx, archivesim.UUID, refs, "a restore", time.Hour)
		testkit.Must(t, err)
		kill()
		time.Sleep(time.Hour)
		if pins, _, err := s.a.Pins(t.Context(), archivesim.UUID, time.Now()); err != nil || len(pins) != 0 {
			t.Errorf("an hour after a kill: %v, %v", pins, err)
		}
	})
}

// flaky is a target of which every second put fails.
type flaky struct {
	*archivesim.Target
	puts int
}

func (f *flaky) Put(ctx context.Context, name string, r io.ReaderAt, size int64, sum [32]byte) error {
	if f.puts++; f.puts%2 == 0 {
		return errors.New("not now")
	}
	return f.Target.Put(ctx, name, r, size, sum)
}

// TestForeignObjectsAreLeftAlone has objects below the store's prefix that varve did
// not write, in every folder that is not one of manifests.
func TestForeignObjectsAreLeftAlone(t *testing.T) {
	s := due(t)
	store := archivesim.UUID.String()
	foreign := []string{
		store + "/README", store + "/0000000000000001", store + "/notes/a.seg", store + "/0000000000000001/00000000000000000001.seg.bak",
		store + "/0000000000000001/1.seg", store + "/0000000000000001/00000000000000000000.txt", store + "/000000000000000A/00000000000000000001.seg",
		store + "/0000000000000001/sub/00000000000000000001.seg", "zz/" + store,
	}
	for _, name := range foreign {
		s.target.Plant(t, name, []byte("mine"))
	}
	for range 2 {
		s.prune(Options{Grace: -1, Policy: Policy{Keep: 1}})
	}
	archivesim.EqualRefs(t, "of varve's", s.there(), archivesim.Refs(1, 4, 5, 6, 7, 8, 9))
	for _, name := range foreign {
		if _, ok := s.target.Look(name); !ok {
			t.Errorf("%s was deleted", name)
		}
	}
}
