package archiver

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varve-db/varve/archiver/alarm"
	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/archiver/target/dir"
	"github.com/varve-db/varve/internal/receipt/receipttest"
	"github.com/varve-db/varve/internal/testkit"
)

// run starts a.Run, and returns what ends it and waits for it.
func (s *shipScene) run(a *Archiver) (stop func() error) {
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	return func() error {
		cancel()
		return <-ended
	}
}

func TestTargetThatBecomesAnotherArchiveStopsAndTheOthersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShipScene(t, 2)
		s.add(1, 2)
		a := s.archiver(s.options())
		stop := s.run(a)
		time.Sleep(time.Second)
		becomeAnother(t, s.targets[0])
		before := s.targets[0].stored()
		time.Sleep(11 * time.Second) // it is found out though nothing is shipped
		synctest.Wait()
		if al := a.Status().Targets[0].Alarm; al == nil || al.Kind != alarm.Identity {
			t.Fatalf("alarm %+v", al)
		}
		s.add(3)
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := s.targets[0].stored(); n != before {
			t.Errorf("%d objects were put there afterwards", n-before)
		}
		s.check(s.targets[1])
		testkit.Must(t, stop())
	})
}

// TestNoReceiptFromAPlaceThatIsNotTheArchive has the disk unmounted between the look
// at the identity and the put, which then goes to the folder below.
func TestNoReceiptFromAPlaceThatIsNotTheArchive(t *testing.T) {
	s := newShipScene(t, 1)
	s.add(1, 2, 3)
	m := s.targets[0]
	id, err := target.Identify(t.Context(), m)
	testkit.Must(t, err)
	m.hook(func(_ context.Context, op, name string) error {
		if op == "put" {
			m.mu.Lock()
			defer m.mu.Unlock()
			delete(m.objects, target.IdentityName)
		}
		return nil
	}, nil)
	if _, err := s.archiver(s.options()).Once(t.Context()); !errors.Is(err, target.ErrNoIdentity) {
		t.Errorf("error %v", err)
	}
	refs, err := receipttest.OpenReceipts(t, s.receipts()).Refs(id.ID)
	if len(refs) != 0 || err != nil {
		t.Errorf("receipts %v, %v", refs, err)
	}
}

func TestUnmountedFolderIsNotTakenForAnEmptyArchive(t *testing.T) {
	s := newShipScene(t, 0)
	s.add(1, 2)
	mount := filepath.Join(t.TempDir(), "mount")
	testkit.Must(t, os.Mkdir(mount, 0o700))
	dir, err := dir.Open(mount, nil)
	testkit.Must(t, err)
	_, err = target.Init(t.Context(), dir)
	testkit.Must(t, err)
	o := s.options()
	o.Targets, o.Poll = []target.Target{dir}, time.Hour
	notify := make(chan struct{})
	o.Notify = notify
	a := s.archiver(o)
	stop := s.run(a)
	wait(t, "the first segments", func() bool { return a.Status().Targets[0].Receipts == 2 })
	testkit.Must(t, os.Rename(mount, mount+".disk"))
	testkit.Must(t, os.Mkdir(mount, 0o700)) // what is below the disk
	s.add(3)
	notify <- struct{}{}
	wait(t, "the alarm", func() bool {
		al := a.Status().Targets[0].Alarm
		return al != nil && al.Kind == alarm.Away
	})
	testkit.Must(t, stop())
	if has, err := a.receipts.Has(a.shippers[0].id.ID, shipRef(3)); has || err != nil {
		t.Errorf("a receipt for what is not in the archive: %v, %v", has, err)
	}
	testkit.Must(t, os.RemoveAll(mount))
	testkit.Must(t, os.Rename(mount+".disk", mount))
	_, err = s.archiver(s.to(dir)).Once(t.Context())
	testkit.Must(t, err)
	info, err := dir.Sum(t.Context(), archive.SegmentName(shipUUID, shipRef(3)))
	if err != nil || info.Size == 0 {
		t.Errorf("after it was mounted again: %+v, %v", info, err)
	}
}

// to are the options for other targets.
func (s *shipScene) to(t ...target.Target) Options {
	o := s.options()
	o.Targets = t
	return o
}

// wait waits for what another goroutine does.
func wait(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for limit := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

func TestTwoArchiversOfOneStoreDoNoHarm(t *testing.T) {
	s := newShipScene(t, 1)
	for id := range 60 {
		s.add(id + 1)
	}
	var wg sync.WaitGroup
	for i := range 3 {
		o := s.options()
		if i > 0 { // with one state folder they would not be let in
			o.Receipts = t.TempDir()
		}
		a := s.archiver(o)
		wg.Go(func() {
			if _, err := a.Once(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s.check(s.targets[0])
}

func TestTwoStoresShareAnArchive(t *testing.T) {
	s := newShipScene(t, 1)
	s.add(1, 2, 3)
	other := &shipScene{t: t, dir: t.TempDir(), next: 1, targets: s.targets}
	store := shipUUID
	store[0]++
	for id := 1; id <= 3; id++ {
		testkit.Must(t, os.WriteFile(other.path(id), logBytes(t, store, shipRef(id), uint64(id), 1, 50, time.Unix(1e9, 0), true), 0o400))
	}
	for range 2 {
		for _, x := range []*shipScene{s, other} {
			_, err := x.archiver(x.options()).Once(t.Context())
			testkit.Must(t, err)
		}
	}
	if n := len(s.targets[0].names()); n != 8 || s.targets[0].stored() != 8 { // with identity and reserve
		t.Errorf("%d objects, stored %d times, want 8", n, s.targets[0].stored())
	}
}

func TestSegmentsOfAnotherStoreInTheFolderAreLeftAlone(t *testing.T) {
	s := newShipScene(t, 1)
	s.add(1, 2, 3)
	store := shipUUID
	store[0]++
	foreign := s.path(9)
	testkit.Must(t, os.WriteFile(foreign, logBytes(t, store, shipRef(9), 1, 1, 50, time.Unix(1e9, 0), true), 0o400))
	_, err := s.archiver(s.options()).Once(t.Context())
	testkit.Must(t, err)
	s.check(s.targets[0], 9)
}

// TestStoreThatIsNotMountedIsAnAlarm has the store's folder empty all at once: that is
// no empty backlog.
func TestStoreThatIsNotMountedIsAnAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShipScene(t, 1)
		s.add(1, 2)
		o := s.options()
		o.Receipts = filepath.Join(t.TempDir(), "state")
		a := s.archiver(o)
		stop := s.run(a)
		time.Sleep(time.Second)
		testkit.Must(t, os.Rename(s.dir, s.dir+".disk"))
		testkit.Must(t, os.Mkdir(s.dir, 0o700))
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if h := a.Health(); len(h) != 1 || !strings.HasPrefix(h[0], "store: ") {
			t.Errorf("health %q", h)
		}
		testkit.Must(t, os.Remove(s.dir))
		testkit.Must(t, os.Rename(s.dir+".disk", s.dir))
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if h := a.Health(); len(h) != 0 {
			t.Errorf("health %q", h)
		}
		testkit.Must(t, stop())
	})
}

// TestEndingWaitsForUploads has two uploads at work when Run is told to end: one that
// is done within the grace time, and one that is not.
func TestEndingWaitsForUploads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShipScene(t, 1)
		s.add(1, 2, 3, 4, 5)
		var begun atomic.Int64
		s.targets[0].hook(func(ctx context.Context, op, name string) error {
			if op != "put" {
				return nil
			}
			begun.Add(1)
			d := 10 * time.Second
			if strings.Contains(name, "2.seg") {
				d = time.Hour
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(d):
				return nil
			}
		}, nil)
		o := s.options()
		o.Parallel = 2
		a := s.archiver(o)
		stop := s.run(a)
		time.Sleep(time.Second)
		begin := time.Now()
		testkit.Must(t, stop())
		if d := time.Since(begin); d < 29*time.Second || d > 31*time.Second {
			t.Errorf("it took %v to end, and the grace time is 30 s", d)
		}
		if begun.Load() != 2 {
			t.Errorf("%d uploads begun, want 2", begun.Load())
		}
		s.check(s.targets[0], 2, 3, 4, 5)
	})
}

// TestStartFailsAtOnceWhereNoTargetCanBeUsed says so, and does not try for ever.
func TestStartFailsAtOnceWhereNoTargetCanBeUsed(t *testing.T) {
	for _, want := range []error{target.ErrDenied, target.ErrUnconditional} {
		synctest.Test(t, func(t *testing.T) {
			s := newShipScene(t, 2)
			s.add(1)
			for _, m := range s.targets {
				m.hook(func(_ context.Context, op, _ string) error {
					if op == "probe" {
						return want
					}
					return nil
				}, nil)
			}
			begin := time.Now()
			if err := s.archiver(s.options()).Run(t.Context()); !errors.Is(err, want) || time.Since(begin) > 0 {
				t.Errorf("after %v: %v, want %v", time.Since(begin), err, want)
			}
			for _, m := range s.targets {
				s.untouched(m)
			}
		})
	}
}

// untouched wants nothing but the identity at a target.
func (s *shipScene) untouched(m *memTarget) {
	s.t.Helper()
	if n := m.names(); len(n) != 2 { // identity and reserve
		s.t.Errorf("objects %q", n)
	}
}

// TestTargetThatIsUnreachableAtTheStartIsTriedAgain, beside one that works.
func TestTargetThatIsUnreachableAtTheStartIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShipScene(t, 2)
		s.add(1, 2)
		s.targets[0].hook(func(context.Context, string, string) error { return errors.New("no route") }, nil)
		a := s.archiver(s.options())
		stop := s.run(a)
		time.Sleep(time.Minute)
		synctest.Wait()
		s.check(s.targets[1])
		s.targets[0].hook(nil, nil)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		s.check(s.targets[0])
		if h := a.Health(); len(h) != 0 {
			t.Errorf("health %q", h)
		}
		testkit.Must(t, stop())
	})
}

// TestSegmentThatIsDamagedAfterItWasVerified is refused by the target, verified again,
// and set aside.
func TestSegmentThatIsDamagedAfterItWasVerified(t *testing.T) {
	s := newShipScene(t, 1)
	s.add(1, 2)
	var once sync.Once
	s.targets[0].hook(func(_ context.Context, op, name string) error {
		if op == "sum" && strings.Contains(name, "2.seg") {
			once.Do(func() {
				b, err := os.ReadFile(s.path(2))
				testkit.Must(t, err)
				b[len(b)/2] ^= 1
				testkit.Must(t, os.Chmod(s.path(2), 0o600))
				testkit.Must(t, os.WriteFile(s.path(2), b, 0o600))
			})
		}
		return nil
	}, nil)
	a := s.archiver(s.options())
	a.backoff = target.Backoff{Base: time.Millisecond, Most: time.Millisecond}
	if _, err := a.Once(t.Context()); !errors.Is(err, ErrSetAside) {
		t.Errorf("error %v", err)
	}
	s.check(s.targets[0], 2)
}

// TestReceiptThatIsLostIsWrittenAgain after the target was asked, and nothing is sent.
func TestReceiptThatIsLostIsWrittenAgain(t *testing.T) {
	s := newShipScene(t, 1)
	s.add(1, 2, 3)
	_, err := s.archiver(s.options()).Once(t.Context())
	testkit.Must(t, err)
	testkit.Must(t, os.RemoveAll(filepath.Join(s.dir, "receipts")))
	r, err := s.archiver(s.options()).Once(t.Context())
	testkit.Must(t, err)
	if got := r.Targets[0]; got.Found != 3 || got.Shipped != 0 {
		t.Errorf("report %+v", got)
	}
	s.check(s.targets[0])
}

// TestObjectThatAppearsBeforeThePutIsCompared has somebody else put an object between
// the question and the put: the same one is fine, another one is a conflict.
func TestObjectThatAppearsBeforeThePutIsCompared(t *testing.T) {
	for what, same := range map[string]bool{"the same": true, "another": false} {
		t.Run(what, func(t *testing.T) {
			s := newShipScene(t, 1)
			s.add(1)
			m := s.targets[0]
			b, err := os.ReadFile(s.path(1))
			testkit.Must(t, err)
			if !same {
				b[len(b)/2] ^= 1
			}
			m.hook(func(_ context.Context, op, name string) error {
				if op == "put" {
					m.set(name, b)
				}
				return nil
			}, nil)
			_, err = s.archiver(s.options()).Once(t.Context())
			if same {
				testkit.Must(t, err)
				s.check(m)
			} else if !errors.Is(err, target.ErrConflict) {
				t.Errorf("error %v", err)
			}
		})
	}
}
