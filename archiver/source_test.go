package archiver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/varve-db/varve/archiver/source"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

func TestSourceListsSealedSegmentsByTheirHeaders(t *testing.T) {
	s := newShipScene(t, 0)
	s.add(3, 1, 2)
	put := func(name string, b []byte) { testkit.Must(t, os.WriteFile(filepath.Join(s.dir, name), b, 0o600)) }
	two, err := os.ReadFile(s.path(2))
	testkit.Must(t, err)
	put("00000000000000000007.seg", two) // second files of segment 2
	put("00000000000000000000.seg", two)
	foreign := shipUUID
	foreign[3] = 9
	put("00000000000000000008.seg", logBytes(t, foreign, shipRef(8), 1, 1, 1, time.Unix(1e9, 0), true))
	put("00000000000000000009.seg", []byte("no header of anything"))
	put("00000000000000000010.seg", nil)
	put("00000000000000000011.open", two)
	put("12.seg", two)
	put("00000000000000000013.seg.tmp", two)
	testkit.Must(t, os.Mkdir(filepath.Join(s.dir, "00000000000000000014.seg"), 0o700))
	testkit.Must(t, os.Symlink(s.path(2), s.path(15)))
	src := source.New(vfs.AsFS(vfs.Dir(s.dir)))
	l, err := src.Segments()
	testkit.Must(t, err)
	var got []segment.ID
	for _, g := range l.Segments {
		got = append(got, g.Ref.ID)
		if g.Store != shipUUID || g.Kind != segment.Log || g.Size == 0 || g.FirstSeq == 0 {
			t.Errorf("segment %+v", g)
		}
	}
	if fmt.Sprint(got) != "[00000000000000000001 00000000000000000002 00000000000000000003]" || l.Store != shipUUID {
		t.Errorf("segments %v of %v", got, l.Store)
	}
	if fmt.Sprint(l.Ignored) != "[00000000000000000000.seg 00000000000000000007.seg 00000000000000000008.seg]" {
		t.Errorf("ignored %v", l.Ignored)
	}
	for _, g := range l.Damaged {
		if c := (*segment.CorruptError)(nil); !errors.As(g.Err, &c) || c.File != g.Name {
			t.Errorf("damaged %s: %v", g.Name, g.Err)
		}
	}
	if len(l.Damaged) != 2 {
		t.Errorf("damaged %+v", l.Damaged)
	}
	testkit.Must(t, os.Remove(s.path(2)))
	if l, err = src.Segments(); err != nil || len(l.Segments) != 2 || len(l.Damaged) != 4 || len(l.Ignored) != 1 {
		t.Errorf("of two files with wrong names none stands for the segment: %+v, %v", l, err)
	}
	testkit.Must(t, os.Remove(filepath.Join(s.dir, "00000000000000000007.seg")))
	if l, err = src.Segments(); err != nil || len(l.Segments) != 3 || l.Segments[1].Name != "00000000000000000000.seg" {
		t.Errorf("one file stands for its segment, whatever its name: %+v, %v", l, err)
	}
}

// TestFlipAnywhereKeepsASegmentFromBeingShipped flips each byte of a sealed file.
func TestFlipAnywhereKeepsASegmentFromBeingShipped(t *testing.T) {
	b := logBytes(t, shipUUID, shipRef(1), 1, 2, 20, time.Unix(1e9, 0), true)
	name := shipRef(1).ID.String() + ".seg"
	try := func(b []byte) error {
		_, _, err := source.New(fstest.MapFS{name: {Data: b}}).Verify(t.Context(), name)
		return err
	}
	testkit.Must(t, try(b))
	for i := range b {
		b[i] ^= 0x10
		if err := try(b); err == nil {
			t.Errorf("a flip at %d passes", i)
		}
		b[i] ^= 0x10
	}
	for n := range b {
		if err := try(b[:n]); err == nil {
			t.Errorf("cut off at %d it passes", n)
		}
	}
	if err := try(append(b, 0)); err == nil {
		t.Error("with a byte more it passes")
	}
}

func TestVerifyReadsInBoundedMemory(t *testing.T) {
	dir := t.TempDir()
	name := shipRef(1).ID.String() + ".seg"
	testkit.Must(t, os.WriteFile(filepath.Join(dir, name), logBytes(t, shipUUID, shipRef(1), 1, 16, 1<<20, time.Unix(1e9, 0), true), 0o600))
	src := source.New(vfs.AsFS(vfs.Dir(dir)))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, _, err := src.Verify(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes are allocated to verify a segment of 16 MiB", n)
	}
}

func TestUnsealedIsTheNewestLogWithObjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		src := source.New(vfs.AsFS(vfs.Dir(dir)))
		open := func(id int, b []byte) {
			testkit.Must(t, os.WriteFile(filepath.Join(dir, shipRef(id).ID.String()+".open"), b, 0o600))
		}
		want := func(id int, age time.Duration) {
			t.Helper()
			ref, got, ok, err := src.Unsealed()
			testkit.Must(t, err)
			if id == 0 && ok || id != 0 && (!ok || ref != shipRef(id) || got < age || got > age+time.Minute) {
				t.Fatalf("got %v, %v old, %v; want %d, %v old", ref, got, ok, id, age)
			}
		}
		want(0, 0)
		open(4, logBytes(t, shipUUID, shipRef(4), 1, 0, 0, time.Now(), false)) // a header
		open(5, nil)                                                           // the name of the next one
		want(0, 0)
		b := logBytes(t, shipUUID, shipRef(4), 1, 0, 0, time.Now(), false)
		r := segment.Record{Kind: segment.Mark, Flags: segment.FlagCommit | segment.FlagVouch, Seq: 1, Time: time.Now().UnixNano(), Vouch: int64(len(b))}
		h, _, err := segment.ParseHeader(b)
		testkit.Must(t, err)
		open(4, h.ChecksumSeed().AppendRecord(b, int64(len(b)), &r)) // a mark alone
		time.Sleep(time.Hour)
		want(0, 0)
		open(5, logBytes(t, shipUUID, shipRef(5), 1, 3, 10, time.Now(), false))
		want(5, 0)
		time.Sleep(time.Hour)
		want(5, time.Hour)
		// Its clock is ahead of ours: what counts is how long we know it.
		open(6, logBytes(t, shipUUID, shipRef(6), 4, 3, 10, time.Now().Add(240*time.Hour), false))
		want(6, 0)
		time.Sleep(time.Hour)
		want(6, time.Hour)
		full := logBytes(t, shipUUID, shipRef(7), 7, 3, 10, time.Now(), false)
		open(7, full[:len(full)-50]) // torn
		want(7, 0)
		testkit.Must(t, os.Rename(filepath.Join(dir, shipRef(7).ID.String()+".open"), filepath.Join(dir, shipRef(7).ID.String()+".seg")))
		want(6, time.Hour)
	})
}

// fakeSealer seals what the scene says.
type fakeSealer func(context.Context, time.Duration) error

func (f fakeSealer) Seal(ctx context.Context, d time.Duration) error { return f(ctx, d) }

func TestRunHasOldLogsSealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShipScene(t, 1)
		s.add(1)
		open := filepath.Join(s.dir, shipRef(2).ID.String()+".open")
		o := s.options()
		o.SealAfter = time.Minute
		var mu sync.Mutex // guards both
		fail := errors.New("the writer does not answer")
		var asked []time.Duration
		o.Sealer = fakeSealer(func(_ context.Context, d time.Duration) error {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, d)
			if fail != nil {
				return fail
			}
			testkit.Must(t, os.Remove(open))
			s.add(2)
			return nil
		})
		log := func() []time.Duration {
			mu.Lock()
			defer mu.Unlock()
			return asked
		}
		a := s.archiver(o)
		stop := s.run(a)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if asked := log(); len(asked) != 0 {
			t.Errorf("asked %v for a log that is not there", asked)
		}
		testkit.Must(t, os.WriteFile(open, logBytes(t, shipUUID, shipRef(2), s.next, 3, 10, time.Now(), false), 0o600))
		time.Sleep(59 * time.Second)
		synctest.Wait()
		if asked := log(); len(asked) != 0 {
			t.Errorf("asked %v too early", asked)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if asked := log(); len(asked) == 0 || asked[0] != time.Minute {
			t.Fatalf("asked %v", asked)
		}
		if h := a.Health(); len(h) != 1 {
			t.Errorf("health %q", h)
		}
		mu.Lock()
		fail = nil
		mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		if h := a.Health(); len(h) != 0 {
			t.Errorf("health %q", h)
		}
		testkit.Must(t, stop())
		s.check(s.targets[0])
	})
}

func TestOnceSealsFirstAndShipsAllTheSameIfThatFails(t *testing.T) {
	s := newShipScene(t, 1)
	s.add(1)
	o := s.options()
	o.Sealer = fakeSealer(func(context.Context, time.Duration) error { s.add(2); return nil })
	_, err := s.archiver(o).Once(t.Context())
	testkit.Must(t, err)
	s.check(s.targets[0])
	s.add(3)
	bad := errors.New("no answer")
	o.Sealer = fakeSealer(func(context.Context, time.Duration) error { return bad })
	if _, err = s.archiver(o).Once(t.Context()); !errors.Is(err, bad) {
		t.Errorf("error %v", err)
	}
	s.check(s.targets[0])
}
