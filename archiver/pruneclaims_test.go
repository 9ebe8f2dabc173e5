package archiver

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

	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
)

// due is a scene in which a prune would delete segments 1 to 3.
func due(t *testing.T) *pruneScene {
	s := newPruneScene(t)
	s.prune(PruneOptions{})
	s.now = s.now.Add(25 * time.Hour)
	return s
}

// pinOf returns the bytes of a pin on segments, and its name.
func (s *pruneScene) pinOf(made time.Time, refs ...segment.Ref) (string, []byte) {
	p := &Pin{ID: "0123456789abcdef", Store: simUUID, What: "a restore", Made: made, Expires: made.Add(time.Hour), Segments: setOf(refs).normal()}
	b, err := encode(p)
	testkit.Must(s.t, err)
	return p.object(), b
}

// TestPruneStopsAtAPinThatItCannotReadBetweenThePhases has a newer program pin
// something when the second phase begins: the prune that is at work deletes nothing,
// and its plan waits again.
func TestPruneStopsAtAPinThatItCannotReadBetweenThePhases(t *testing.T) {
	newer := func(b []byte) []byte { return bytes.Replace(b, []byte(`"format": 1`), []byte(`"format": 2`), 1) }
	for _, kind := range []string{"restore", "backup", "a name of nobody's"} {
		s := due(t)
		before := s.there()
		name, b := s.pinOf(s.now, simRefs(1, 1)...)
		switch kind {
		case "backup":
			bk := &Backup{ID: 7, Store: simUUID, Tip: simRefs(1, 1)[0], Segments: setOf(simRefs(1, 1)).normal()}
			var err error
			b, err = encode(bk)
			testkit.Must(t, err)
			name = backupName(simUUID, 7, "json")
		case "a name of nobody's":
			name = pinsOf(simUUID) + "README"
		}
		var came atomic.Bool
		s.target.before = func(op, at string) {
			if op == "delete" && strings.HasSuffix(at, ".wait") && came.CompareAndSwap(false, true) {
				s.target.put(t, name, newer(b))
			}
		}
		_, err := Prune(t.Context(), s.a, simUUID, PruneOptions{Now: s.now})
		s.target.before = nil
		if e, ok := errors.AsType[*UnreadableError](err); !came.Load() || !ok || !strings.HasSuffix(e.Object, name) {
			t.Errorf("%s: %v, want an error that names %s", kind, err, name)
		}
		equalRefs(t, kind, s.there(), before)
		for _, ref := range before {
			if _, marked := s.target.look(refName(simUUID, ref, "gone")); marked {
				t.Errorf("%s: the marker of %v is left", kind, ref)
			}
		}
		if plans, err := s.a.prunePlans(t.Context(), simUUID); err != nil || len(plans) != 1 || !plans[0].waits {
			t.Errorf("%s: the plan does not wait again: %v", kind, err)
		}
	}
}

func TestADryRunChangesNothing(t *testing.T) {
	s := newPruneScene(t)
	other := s.w.restored(2, 2, 20, s.now)
	other.puts++
	other.roll(s.now)
	s.ship(other)
	s.backup(simRefs(1, 1, 2)...)
	s.backup(simRefs(1, 4, 5)...)
	s.prune(PruneOptions{Policy: Policy{DropTips: []segment.Timeline{2}}})
	s.now = s.now.Add(25 * time.Hour)
	s.target.put(t, refName(simUUID, simRefs(1, 4)[0], "gone"), []byte("{}")) // of a prune that was cut off
	before := maps.Clone(s.target.objects)
	o := PruneOptions{DryRun: true, Explain: true, Policy: Policy{Keep: 1, DropTips: []segment.Timeline{2}}}
	rep := s.prune(o)
	same := maps.EqualFunc(s.target.objects, before, func(a, b simObject) bool { return bytes.Equal(a.b, b.b) })
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
		name := segmentName(simUUID, simRefs(1, 9)[0])
		o, _ := s.target.look(name)
		o.b = bytes.Clone(o.b)
		fn(o.b)
		if _, _, err := segment.ParseHeader(o.b); err == nil || errors.Is(err, segment.ErrVersion) != (what == "a newer format") {
			t.Fatalf("%s: the header reads as %v", what, err)
		}
		s.target.objects[name] = o
		a, err := OpenArchive(t.Context(), s.target)
		testkit.Must(t, err)
		before := maps.Clone(s.target.objects)
		_, err = Prune(t.Context(), a, simUUID, PruneOptions{Now: s.now})
		if e, ok := errors.AsType[*UnreadableError](err); !ok || !strings.HasSuffix(e.Object, name) || len(s.target.objects) != len(before) {
			t.Errorf("%s: %v; %d objects of %d are left", what, err, len(s.target.objects), len(before))
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
	name, b := s.pinOf(s.now.Add(-48*time.Hour), simRefs(1, 1, 2)...)
	s.target.put(t, name, b)
	s.now = s.now.Add(30 * time.Minute)
	s.prune(PruneOptions{})
	equalRefs(t, "within the hour", s.there(), simRefs(1, 1, 2, 4, 5, 6, 7, 8, 9))
	s.now = s.now.Add(time.Hour)
	s.prune(PruneOptions{Grace: -1})
	s.prune(PruneOptions{Grace: -1})
	equalRefs(t, "after it", s.there(), simRefs(1, 4, 5, 6, 7, 8, 9))
}

// TestAPinIsRenewedWhileItsRestoreRuns for several times its own length, with a
// target that fails now and then; and no longer.
func TestAPinIsRenewedWhileItsRestoreRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newPruneScene(t)
		s.target.now = time.Now
		refs := simRefs(1, 1, 2)
		a, err := OpenArchive(t.Context(), &flaky{simTarget: s.target})
		testkit.Must(t, err)
		unpin, err := a.Pin(t.Context(), simUUID, refs, "a restore", time.Hour)
		testkit.Must(t, err)
		for range 100 {
			time.Sleep(7 * time.Minute)
			pins, _, err := s.a.pins(t.Context(), simUUID, time.Now())
			testkit.Must(t, err)
			if len(pins) == 0 || !setOfRuns(pins[0].Segments).has(refs[1]) {
				t.Fatalf("pins: %v", pins)
			}
		}
		names, err := s.a.names(t.Context(), pinsOf(simUUID))
		testkit.Must(t, err)
		if len(names) != 1 {
			t.Errorf("pins that were replaced are left: %v", names)
		}
		for range 2 { // the second time there is nothing to do
			testkit.Must(t, unpin(t.Context()))
		}
		if names, err = s.a.names(t.Context(), pinsOf(simUUID)); err != nil || len(names) != 0 {
			t.Errorf("after the restore: %v, %v", names, err)
		}

		// One whose process was killed.
		ctx, kill := context.WithCancel(t.Context())
		_, err = s.a.Pin(ctx, simUUID, refs, "a restore", time.Hour)
		testkit.Must(t, err)
		kill()
		time.Sleep(time.Hour)
		if pins, _, err := s.a.pins(t.Context(), simUUID, time.Now()); err != nil || len(pins) != 0 {
			t.Errorf("an hour after a kill: %v, %v", pins, err)
		}
	})
}

// flaky is a target of which every second put fails.
type flaky struct {
	*simTarget
	puts int
}

func (f *flaky) Put(ctx context.Context, name string, r io.ReaderAt, size int64, sum [32]byte) error {
	if f.puts++; f.puts%2 == 0 {
		return errors.New("not now")
	}
	return f.simTarget.Put(ctx, name, r, size, sum)
}

// TestForeignObjectsAreLeftAlone has objects below the store's prefix that varve did
// not write, in every folder that is not one of manifests.
func TestForeignObjectsAreLeftAlone(t *testing.T) {
	s := due(t)
	store := simUUID.String()
	foreign := []string{
		store + "/README", store + "/0000000000000001", store + "/notes/a.seg", store + "/0000000000000001/00000000000000000001.seg.bak",
		store + "/0000000000000001/1.seg", store + "/0000000000000001/00000000000000000000.txt", store + "/000000000000000A/00000000000000000001.seg",
		store + "/0000000000000001/sub/00000000000000000001.seg", "zz/" + store,
	}
	for _, name := range foreign {
		s.target.put(t, name, []byte("mine"))
	}
	for range 2 {
		s.prune(PruneOptions{Grace: -1, Policy: Policy{Keep: 1}})
	}
	equalRefs(t, "of varve's", s.there(), simRefs(1, 4, 5, 6, 7, 8, 9))
	for _, name := range foreign {
		if _, ok := s.target.look(name); !ok {
			t.Errorf("%s was deleted", name)
		}
	}
}
