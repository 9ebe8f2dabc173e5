package archiver

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varve-db/varve/archiver/alarm"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/testkit"
)

// TestTargetThatCannotBeUsedAtTheStartIsTriedAgain, whatever the reason, beside one that
// works; with an alarm as long as it lasts.
func TestTargetThatCannotBeUsedAtTheStartIsTriedAgain(t *testing.T) {
	for _, c := range []struct {
		fails error
		kind  alarm.Kind
	}{{target.ErrNotExist, alarm.Away}, {target.ErrDenied, alarm.Denied}, {errors.New("no route"), alarm.Failing}} {
		synctest.Test(t, func(t *testing.T) {
			s := newShipScene(t, 2)
			s.add(1, 2)
			late := s.targets[1]
			var mounted atomic.Bool
			o := s.options()
			o.Targets = o.Targets[:1]
			o.Unopened = []Unopened{{URL: late.url, Open: func(context.Context) (target.Target, error) {
				if !mounted.Load() {
					return nil, c.fails
				}
				return late, nil
			}}}
			a := s.archiver(o)
			stop := s.run(a)
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			s.check(s.targets[0])
			s.untouched(late)
			if al := a.Status().Targets[1].Alarm; al == nil || al.Kind != c.kind {
				t.Errorf("%v: alarm %+v, want %s", c.fails, al, c.kind)
			}
			mounted.Store(true)
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			s.check(late)
			if h := a.Health(); len(h) != 0 {
				t.Errorf("%v: health %q", c.fails, h)
			}
			testkit.Must(t, stop())
		})
	}
}

// TestFolderThatBecomesAnArchiveIsShippedTo: it was there at the start, empty, as the
// place is where a disk is not mounted.
func TestFolderThatBecomesAnArchiveIsShippedTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShipScene(t, 1)
		s.add(1, 2)
		late := newMemTarget("mem://late")
		s.targets = append(s.targets, late)
		a := s.archiver(s.options())
		stop := s.run(a)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		s.check(s.targets[0])
		if n := late.names(); len(n) != 0 {
			t.Errorf("objects %q where no archive is", n)
		}
		_, err := target.Init(t.Context(), late)
		testkit.Must(t, err)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		s.check(late)
		if h := a.Health(); len(h) != 0 {
			t.Errorf("health %q", h)
		}
		testkit.Must(t, stop())
	})
}

// TestTargetsThatAreAllAwayAtTheStartAreWaitedFor by Run, with an alarm each.
func TestTargetsThatAreAllAwayAtTheStartAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShipScene(t, 2)
		s.add(1)
		var there atomic.Bool
		o := s.options()
		o.Targets = nil
		for _, m := range s.targets {
			o.Unopened = append(o.Unopened, Unopened{URL: m.url, Open: func(context.Context) (target.Target, error) {
				if there.Load() {
					return m, nil
				}
				return nil, target.ErrNotExist
			}})
		}
		if _, err := s.archiver(o).Once(t.Context()); !errors.Is(err, target.ErrNoIdentity) {
			t.Errorf("once: %v", err)
		}
		a := s.archiver(o)
		stop := s.run(a)
		time.Sleep(time.Hour)
		synctest.Wait()
		for _, target := range a.Status().Targets {
			if target.Alarm == nil || target.Alarm.Kind != alarm.Away || target.Segments != 1 {
				t.Errorf("while it is away: %+v", target)
			}
		}
		there.Store(true)
		time.Sleep(15 * time.Second) // Options.Poll, and some
		synctest.Wait()
		s.check(s.targets[0])
		s.check(s.targets[1])
		if h := a.Health(); len(h) != 0 {
			t.Errorf("health %q", h)
		}
		testkit.Must(t, stop())
	})
}
