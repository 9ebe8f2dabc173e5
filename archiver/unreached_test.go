package archiver

import (
	"context"
	"errors"
	"testing"

	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
)

// TestWhatIsNotReachedHasABacklog starts an archiver while its target cannot be
// reached: what waits is told all the same, as far as the receipts tell, and is nothing
// more once the target can be reached.
func TestWhatIsNotReachedHasABacklog(t *testing.T) {
	s := newShipScene(t, 2)
	m, never := s.targets[0], s.targets[1]
	away := func(m *memTarget) {
		m.hook(func(context.Context, string, string) error { return errors.New("no route to host") }, nil)
	}
	s.add(1, 2)
	_, err := s.archiver(s.to(m)).Once(t.Context())
	testkit.Must(t, err)
	s.add(3)
	away(m)
	away(never)
	for range 2 { // the second one starts from what the first one left
		a := s.archiver(s.options())
		a.tries = 1
		if _, err := a.Once(t.Context()); err == nil {
			t.Fatal("it was reached")
		}
		kept, err := ReadStatus(vfs.AsFS(vfs.Dir(s.dir)), s.state())
		testkit.Must(t, err)
		for _, st := range []Status{a.Status(), kept} {
			for _, target := range st.Targets {
				want, receipts := 1, 2
				if target.URL == never.URL() {
					want, receipts = 3, 0
				}
				if target.Segments != want || target.Bytes == 0 || target.Oldest.Age <= 0 || target.Receipts != receipts {
					t.Errorf("%+v, want a backlog of %d", target, want)
				}
			}
		}
	}
	m.hook(nil, nil)
	never.hook(nil, nil)
	a := s.archiver(s.options())
	_, err = a.Once(t.Context())
	testkit.Must(t, err)
	for _, target := range a.Status().Targets {
		if target.Segments != 0 || target.Bytes != 0 || target.Counts.Found != 0 {
			t.Errorf("%+v", target)
		}
	}
	s.check(m)
	s.check(never)
}
