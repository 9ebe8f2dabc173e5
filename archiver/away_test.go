package archiver

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varve-db/varve/archiver/alarm"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/testkit"
)

// becomeAnother makes an archive anew in place of the one that m is.
func becomeAnother(t *testing.T, m *memTarget) target.Identity {
	t.Helper()
	m.mu.Lock()
	clear(m.objects)
	m.mu.Unlock()
	id, err := target.Init(context.Background(), m)
	testkit.Must(t, err)
	return id
}

// TestArchiveThatVanishesIsWaitedFor has all that is in a target vanish under Run, with the
// target itself or without it, and come back: an alarm as long as it is away, whatever there
// is to ship; all is shipped to it afterwards, and nothing anywhere else.
func TestArchiveThatVanishesIsWaitedFor(t *testing.T) {
	for _, busy := range []bool{false, true} {
		for _, empty := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				s := newShipScene(t, 1)
				s.add(1, 2)
				m := s.targets[0]
				a := s.archiver(s.options())
				stop := s.run(a)
				time.Sleep(time.Second)
				made := m.stored()
				m.mu.Lock()
				kept := maps.Clone(m.objects)
				clear(m.objects)
				m.mu.Unlock()
				if !empty { // the bucket is gone: nothing can be put there either
					m.hook(func(context.Context, string, string) error { return target.ErrNotExist }, nil)
				}
				if busy {
					s.add(3)
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				st := a.Status().Targets[0]
				if st.Alarm == nil || st.Alarm.Kind != alarm.Away || !strings.Contains(st.Alarm.Message, "it was archive "+st.ID) {
					t.Errorf("busy %v, empty %v: alarm %+v", busy, empty, st.Alarm)
				}
				m.hook(nil, nil)
				m.mu.Lock()
				m.objects, m.made = kept, made
				m.mu.Unlock()
				s.add(4)
				time.Sleep(3 * time.Minute)
				synctest.Wait()
				s.check(m)
				if h := a.Health(); len(h) != 0 {
					t.Errorf("busy %v, empty %v: health %q", busy, empty, h)
				}
				testkit.Must(t, stop())
			})
		}
	}
}

// TestArchiveMadeAnewIsNoticedAtTheNextStart: it is no archive of this store, until
// somebody accepts it; and by no start before that.
func TestArchiveMadeAnewIsNoticedAtTheNextStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShipScene(t, 1)
		s.add(1, 2)
		m := s.targets[0]
		old, err := target.Identify(t.Context(), m)
		testkit.Must(t, err)
		testkit.Must(t, s.run(s.archiver(s.options()))())
		is := becomeAnother(t, m)
		for range 2 {
			for _, run := range []func() error{
				func() error { _, err := s.archiver(s.options()).Once(t.Context()); return err },
				func() error { return s.archiver(s.options()).Run(t.Context()) },
			} {
				err := run()
				other, ok := errors.AsType[*target.OtherArchiveError](err)
				if !ok || !errors.Is(err, target.ErrOtherArchive) || other.Was != old.ID || other.Is.ID != is.ID {
					t.Fatalf("error %v", err)
				}
			}
		}
		s.untouched(m)
		o := s.options()
		o.Accept = []string{is.ID}
		m.made = 1
		_, err = s.archiver(o).Once(t.Context())
		testkit.Must(t, err)
		s.check(m)
		_, err = s.archiver(s.options()).Once(t.Context()) // it is known now
		testkit.Must(t, err)
	})
}

// TestTwoArchivesInTurn: disks that are mounted at one place in turn are each known, once
// they were accepted.
func TestTwoArchivesInTurn(t *testing.T) {
	s := newShipScene(t, 2)
	s.targets[1].url = s.targets[0].url
	for i := range 3 {
		s.add(i + 1)
		for _, m := range s.targets {
			o := s.to(m)
			if i == 0 {
				id, err := target.Identify(t.Context(), m)
				testkit.Must(t, err)
				o.Accept = []string{id.ID}
			}
			_, err := s.archiver(o).Once(t.Context())
			testkit.Must(t, err)
			s.check(m)
		}
	}
}
