package archiver

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/testkit"
)

// TestShippingGoesOnAfterAnOutage lets every request fail for a minute, and after that one
// in ten: what waits is shipped within minutes, for many seeds.
func TestShippingGoesOnAfterAnOutage(t *testing.T) {
	for seed := range uint64(5) {
		synctest.Test(t, func(t *testing.T) {
			s := newShipScene(t, 1)
			s.add(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
			over := time.Now().Add(time.Minute)
			var mu sync.Mutex
			rnd := rand.New(rand.NewPCG(seed, 0))
			s.targets[0].hook(func(context.Context, string, string) error {
				time.Sleep(20 * time.Millisecond)
				mu.Lock()
				defer mu.Unlock()
				if time.Now().Before(over) || rnd.IntN(10) == 0 {
					return errors.New("503")
				}
				return nil
			}, nil)
			o := s.options()
			o.Poll, o.receipts = 500*time.Millisecond, crashfs.New()
			a := s.archiver(o)
			stop := s.run(a)
			time.Sleep(4 * time.Minute)
			if left := a.Status().Targets[0].Segments; left > 0 {
				t.Errorf("seed %d: %d segments are left three minutes after the outage", seed, left)
			}
			testkit.Must(t, stop())
		})
		if t.Failed() {
			return
		}
	}
}

// TestRefusalsAreNotWornOut: a target that answers, and takes no segment, is sent one
// no more often than the waits allow, however often it is asked whether it is there.
func TestRefusalsAreNotWornOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShipScene(t, 1)
		s.add(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
		var mu sync.Mutex
		puts := 0
		s.targets[0].hook(func(_ context.Context, op, _ string) error {
			if op != "put" {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			puts++
			return errors.New("connection reset")
		}, nil)
		o := s.options()
		o.Poll, o.receipts = time.Second, crashfs.New()
		stop := s.run(s.archiver(o))
		time.Sleep(10 * time.Minute)
		testkit.Must(t, stop())
		if puts < 5 || puts > 40 {
			t.Errorf("%d puts in ten minutes of refusals", puts)
		}
	})
}

func TestRetreat(t *testing.T) {
	b := target.Backoff{Base: time.Second, Most: time.Minute}
	now := time.Unix(1e9, 0)
	wait := func(r *retreat) time.Duration { return max(0, r.resume.Sub(now)) }
	var r retreat
	for range 20 {
		r.fail(b, now, false)
	}
	if d := wait(&r); d < 30*time.Second || d > 90*time.Second {
		t.Errorf("after a long silence it waits %v", d)
	}
	if r.answered(); wait(&r) != 0 {
		t.Errorf("after an answer it waits %v", wait(&r))
	}
	for range 20 {
		r.fail(b, now, true)
		r.answered()
	}
	if d := wait(&r); d < 30*time.Second || d > 90*time.Second {
		t.Errorf("after an answer to something else than what is refused it waits %v", d)
	}
	if r.fail(b, now, false); wait(&r) < 30*time.Second {
		t.Errorf("after refusals and a silence it waits %v", wait(&r))
	}
	if r.succeed(); r != (retreat{}) {
		t.Errorf("after success: %+v", r)
	}
}
