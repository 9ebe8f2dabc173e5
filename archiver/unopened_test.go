package archiver

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestTargetThatCannotBeUsedAtTheStartIsTriedAgain, whatever the reason, beside one that
// works; with an alarm as long as it lasts.
func TestTargetThatCannotBeUsedAtTheStartIsTriedAgain(t *testing.T) {
	for _, c := range []struct {
		fails error
		kind  AlarmKind
	}{{ErrNotExist, AlarmIdentity}, {ErrDenied, AlarmDenied}, {errors.New("no route"), AlarmFailing}} {
		synctest.Test(t, func(t *testing.T) {
			s := newShipScene(t, 2)
			s.add(1, 2)
			late := s.targets[1]
			var mounted atomic.Bool
			o := s.options()
			o.Targets = o.Targets[:1]
			o.Unopened = []Unopened{{URL: late.url, Open: func(context.Context) (Target, error) {
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
			if alarm := a.Status().Targets[1].Alarm; alarm == nil || alarm.Kind != c.kind {
				t.Errorf("%v: alarm %+v, want %s", c.fails, alarm, c.kind)
			}
			mounted.Store(true)
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			s.check(late)
			if h := a.Health(); len(h) != 0 {
				t.Errorf("%v: health %q", c.fails, h)
			}
			// Once it was the archive, to be none ends it for good.
			late.hook(func(_ context.Context, op, _ string) error {
				if op == "open" {
					return ErrNotExist
				}
				return nil
			}, nil)
			time.Sleep(10 * time.Minute)
			late.hook(nil, nil)
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			if alarm := a.Status().Targets[1].Alarm; alarm == nil || alarm.Kind != AlarmIdentity {
				t.Errorf("%v, and later no archive: alarm %+v", c.fails, alarm)
			}
			must(t, stop())
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
		_, err := Init(t.Context(), late)
		must(t, err)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		s.check(late)
		if h := a.Health(); len(h) != 0 {
			t.Errorf("health %q", h)
		}
		must(t, stop())
	})
}

func TestRunEndsWhereNoTargetCanBeOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShipScene(t, 0)
		s.add(1)
		o := s.options()
		for _, url := range []string{"mem://1", "mem://2"} {
			o.Unopened = append(o.Unopened, Unopened{URL: url, Open: func(context.Context) (Target, error) { return nil, ErrNotExist }})
		}
		begin := time.Now()
		if err := s.archiver(o).Run(t.Context()); !errors.Is(err, ErrNoIdentity) || time.Since(begin) > 0 {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
	})
}
