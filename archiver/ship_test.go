package archiver

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varve-db/varve/archiver/alarm"
	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
)

func TestOnceShipsWhatIsThere(t *testing.T) {
	s := newShipScene(t, 2)
	s.add(1, 2, 3, 7)
	a := s.archiver(s.options())
	r, err := a.Once(t.Context())
	testkit.Must(t, err)
	for i, m := range s.targets {
		s.check(m)
		if got := r.Targets[i]; got.Shipped != 4 || got.Left != 0 || got.Error != "" {
			t.Errorf("report %+v", got)
		}
	}
	s.add(8)
	r, err = s.archiver(s.options()).Once(t.Context())
	testkit.Must(t, err)
	for i, m := range s.targets {
		s.check(m)
		if got := r.Targets[i]; got.Shipped != 1 || got.Found != 0 {
			t.Errorf("second report %+v", got)
		}
	}
}

func TestDamagedSegmentIsSetAsideAndTheOthersGoOn(t *testing.T) {
	s := newShipScene(t, 2)
	s.add(1, 2, 3, 4, 5)
	good := map[int][]byte{}
	for _, id := range []int{2, 4} {
		b, err := os.ReadFile(s.path(id))
		testkit.Must(t, err)
		good[id] = b
		bad := append([]byte{}, b...)
		bad[len(b)*id/5] ^= 1
		if id == 4 {
			bad[0] ^= 1 // no header at all
		}
		testkit.Must(t, os.Remove(s.path(id)))
		testkit.Must(t, os.WriteFile(s.path(id), bad, 0o400))
	}
	a := s.archiver(s.options())
	r, err := a.Once(t.Context())
	if c := (*segment.CorruptError)(nil); !errors.As(err, &c) || !errors.Is(err, ErrSetAside) || !strings.HasSuffix(c.File, "2.seg") {
		t.Fatalf("error %v", err)
	}
	if len(r.Damaged) != 2 || len(a.Health()) != 1 {
		t.Errorf("damaged %+v, health %q", r.Damaged, a.Health())
	}
	for _, m := range s.targets {
		s.check(m, 2, 4)
	}
	for id, b := range good {
		testkit.Must(t, os.Remove(s.path(id)))
		testkit.Must(t, os.WriteFile(s.path(id), b, 0o400))
	}
	_, err = a.Once(t.Context())
	testkit.Must(t, err)
	for _, m := range s.targets {
		s.check(m)
	}
	if h := a.Health(); len(h) != 0 {
		t.Errorf("health %q", h)
	}
}

func TestOtherContentUnderASegmentsNameIsAnAlarmAndStaysAsItIs(t *testing.T) {
	for what, other := range map[string]func([]byte) []byte{
		"other bytes, same size": func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"shorter":                func(b []byte) []byte { return b[:len(b)-1] },
		"empty":                  func([]byte) []byte { return nil },
	} {
		t.Run(what, func(t *testing.T) {
			s := newShipScene(t, 2)
			s.add(1, 2, 3)
			b, err := os.ReadFile(s.path(2))
			testkit.Must(t, err)
			name := archive.SegmentName(shipUUID, shipRef(2))
			there := other(b)
			s.targets[0].set(name, there)
			a := s.archiver(s.options())
			_, err = a.Once(t.Context())
			if !errors.Is(err, target.ErrConflict) || !strings.Contains(err.Error(), name) {
				t.Fatalf("error %v", err)
			}
			if al := a.Status().Targets[0].Alarm; al == nil || al.Kind != alarm.Conflict {
				t.Errorf("alarm %+v", al)
			}
			if got, _ := s.targets[0].get(name); string(got) != string(there) {
				t.Error("it was overwritten")
			}
			s.check(s.targets[1])
		})
	}
}

func TestLostAnswersAreResolvedByAsking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShipScene(t, 1)
		s.add(1, 2, 3, 4)
		var puts atomic.Int64
		s.targets[0].hook(nil, func(op, name string) error {
			if op == "put" && puts.Add(1)%2 == 0 {
				return errors.New("connection reset")
			}
			return nil
		})
		r, err := s.archiver(s.options()).Once(t.Context())
		testkit.Must(t, err)
		if got := r.Targets[0]; got.Shipped != 4 || got.Failures != 0 {
			t.Errorf("report %+v", got)
		}
		s.check(s.targets[0])
	})
}

// TestLostAnswersAreResolvedLater has the target gone, too, when it is asked.
func TestLostAnswersAreResolvedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShipScene(t, 1)
		s.add(1, 2, 3, 4)
		var down atomic.Bool
		s.targets[0].hook(func(_ context.Context, op, name string) error {
			if down.Load() {
				return errors.New("no route")
			}
			return nil
		}, func(op, name string) error {
			if op == "put" && !down.Swap(true) {
				time.AfterFunc(5*time.Second, func() { down.Store(false); s.targets[0].hook(nil, nil) })
				return errors.New("connection reset")
			}
			return nil
		})
		a := s.archiver(s.options())
		a.tries = 20
		r, err := a.Once(t.Context())
		testkit.Must(t, err)
		if got := r.Targets[0]; got.Found == 0 || got.Failures == 0 {
			t.Errorf("report %+v", got)
		}
		s.check(s.targets[0])
	})
}

func TestFullTargetIsAnAlarmUntilThereIsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShipScene(t, 2)
		s.add(1, 2, 3, 4, 5, 6)
		s.targets[0].hook(func(_ context.Context, op, name string) error {
			if op == "put" {
				return target.ErrFull
			}
			return nil
		}, nil)
		ctx, cancel := context.WithCancel(t.Context())
		a := s.archiver(s.options())
		ended := make(chan error)
		go func() { ended <- a.Run(ctx) }()
		time.Sleep(30 * time.Second)
		synctest.Wait()
		st := a.Status()
		if al := st.Targets[0].Alarm; al == nil || al.Kind != alarm.Full || st.Targets[0].Segments != 6 || st.Targets[1].Segments != 0 {
			t.Errorf("while it is full: %+v", st)
		}
		s.check(s.targets[1])
		s.targets[0].hook(nil, nil)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if h := a.Health(); len(h) != 0 {
			t.Errorf("health %q", h)
		}
		s.check(s.targets[0])
		cancel()
		testkit.Must(t, <-ended)
	})
}

// TestRetriesBackOff counts how often a target that is down is asked.
func TestRetriesBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShipScene(t, 1)
		for id := range 50 {
			s.add(id + 1)
		}
		var asked atomic.Int64
		s.targets[0].hook(func(_ context.Context, op, name string) error {
			if op == "sum" {
				asked.Add(1)
				return errors.New("503")
			}
			return nil
		}, nil)
		ctx, cancel := context.WithCancel(t.Context())
		a := s.archiver(s.options())
		ended := make(chan error)
		go func() { ended <- a.Run(ctx) }()
		time.Sleep(time.Hour)
		synctest.Wait()
		// The first four at once, then pauses of 1, 2, 4 … 60 seconds, each half more or
		// less: an hour has 40 to 130 of them.
		if n := asked.Load(); n < 40 || n > 140 {
			t.Errorf("asked %d times in an hour", n)
		}
		if al := a.Status().Targets[0].Alarm; al == nil || al.Kind != alarm.Failing {
			t.Errorf("alarm %+v", al)
		}
		s.targets[0].hook(nil, nil)
		time.Sleep(100 * time.Second)
		synctest.Wait()
		s.check(s.targets[0])
		cancel()
		testkit.Must(t, <-ended)
	})
}

func TestOneBadNameHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShipScene(t, 1)
		s.add(1, 2, 3, 4, 5, 6, 7, 8, 9)
		bad := archive.SegmentName(shipUUID, shipRef(2))
		s.targets[0].hook(func(_ context.Context, op, name string) error {
			if name == bad {
				return errors.New("500")
			}
			return nil
		}, nil)
		r, err := s.archiver(s.options()).Once(t.Context())
		if err == nil || !strings.Contains(err.Error(), "500") || r.Targets[0].Left != 1 {
			t.Errorf("report %+v, error %v", r, err)
		}
		s.check(s.targets[0], 2)
	})
}

// TestHungTargetHoldsUpNobody has one target whose uploads never end by themselves,
// and one upload of the other.
func TestHungTargetHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShipScene(t, 2)
		s.add(1, 2, 3, 4, 5, 6, 7, 8)
		hang := func(which string) func(context.Context, string, string) error {
			return func(ctx context.Context, op, name string) error {
				if op == "put" && strings.Contains(name, which) {
					<-ctx.Done()
					return ctx.Err()
				}
				return nil
			}
		}
		s.targets[0].hook(hang(""), nil)
		s.targets[1].hook(hang("3.seg"), nil)
		ctx, cancel := context.WithCancel(t.Context())
		a := s.archiver(s.options())
		ended := make(chan error)
		go func() { ended <- a.Run(ctx) }()
		time.Sleep(time.Minute)
		synctest.Wait()
		s.check(s.targets[1], 3)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if e := a.Status().Targets[0].Error; !strings.Contains(e, "gave up waiting for the target after 5m0s") {
			t.Errorf("error %q", e)
		}
		s.targets[0].hook(nil, nil)
		s.targets[1].hook(nil, nil)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		s.check(s.targets[0])
		s.check(s.targets[1])
		cancel()
		testkit.Must(t, <-ended)
	})
}
