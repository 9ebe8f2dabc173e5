package archiver

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varve-db/varve/archiver/source"
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
)

// TestOneArchiverATarget: a second one of the same store and target is refused, and told who
// is there, until the first one ends; one for another target is not.
func TestOneArchiverATarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShipScene(t, 2)
		s.add(1, 2)
		stop := s.run(s.archiver(s.to(s.targets[0])))
		time.Sleep(time.Second)
		for _, err := range []error{
			func() error { _, err := s.archiver(s.options()).Once(t.Context()); return err }(),
			s.archiver(s.options()).Run(t.Context()),
		} {
			busy, ok := errors.AsType[*AtWorkError](err)
			if !ok || !errors.Is(err, vfs.ErrLocked) || busy.URL != "mem://0" || !strings.HasPrefix(busy.Holder, "pid ") {
				t.Errorf("error %v", err)
			}
		}
		s.untouched(s.targets[1])
		_, err := s.archiver(s.to(s.targets[1])).Once(t.Context())
		testkit.Must(t, err)
		testkit.Must(t, stop())
		_, err = s.archiver(s.options()).Once(t.Context())
		testkit.Must(t, err)
	})
}

// TestAnArchiverThatSaysNothingIsMissed: it runs, ended in order, died, or hangs.
func TestAnArchiverThatSaysNothingIsMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShipScene(t, 1)
		s.add(1)
		disk := crashfs.New()
		o := s.options()
		o.receipts, o.Poll = disk, time.Hour
		status := func(state vfs.FS) *TargetStatus {
			st, err := readStatusNow(o.Store, state, asIfWhole)
			testkit.Must(t, err)
			return &st.Targets[0]
		}
		stop := s.run(s.archiver(o))
		time.Sleep(90 * time.Minute) // far longer than it may say nothing, with looks an hour apart
		synctest.Wait()
		if got := status(disk); !got.Running || got.Silent() != "" || time.Since(got.Looked) > heartbeat {
			t.Errorf("while it runs: %+v, %q", got, got.Silent())
		}
		dead := disk.Clone() // nobody holds a lock there
		if got := status(dead); got.Running || !strings.Contains(got.Silent(), "not running") {
			t.Errorf("when it died: %+v, %q", got, got.Silent())
		}
		testkit.Must(t, stop())
		if got := status(disk); got.Running || got.Silent() != "" || got.Worker.Ended.IsZero() {
			t.Errorf("when it ended: %+v, %q", got, got.Silent())
		}
		lock, _, err := dead.Lock(workerLock("mem://0"), "pid 1")
		testkit.Must(t, err)
		time.Sleep(10 * time.Minute)
		if got := status(dead); !got.Running || !strings.Contains(got.Silent(), "has written no status for 1") {
			t.Errorf("when it hangs: %+v, %q", got, got.Silent())
		}
		testkit.Must(t, lock.Close())
		if got := s.archiver(o).Status().Targets[0]; got.Last.IsZero() {
			t.Error("the last success is forgotten")
		}
	})
}

// TestLagIsThatOfTheOldestCommit which is not archived, sealed or not, as Run and ReadStatus
// tell it.
func TestLagIsThatOfTheOldestCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShipScene(t, 1)
		disk := crashfs.New()
		o := s.options()
		o.receipts = disk
		o.MaxLag = 10 * time.Minute
		a := s.archiver(o)
		stop := s.run(a)
		check := func(what string, through time.Time, lag time.Duration, late int) {
			t.Helper()
			time.Sleep(11 * time.Second)
			synctest.Wait()
			kept, err := readStatusNow(o.Store, disk, asIfWhole)
			testkit.Must(t, err)
			for _, st := range []Status{a.Status(), kept} {
				if through.IsZero() { // up to now
					if d := time.Since(st.Targets[0].Through); d < 0 || d > 11*time.Second {
						t.Errorf("%s: archived up to %v ago", what, d)
					}
				} else if !st.Targets[0].Through.Equal(through) {
					t.Errorf("%s: archived up to %v, want %v", what, st.Targets[0].Through, through)
				}
				if got := max(st.Unsealed.Age, st.Targets[0].Oldest.Age); got < lag || got > lag+12*time.Second || len(st.Late(o.MaxLag)) != late {
					t.Errorf("%s: lag %v, want %v; %q", what, got, lag, st.Late(o.MaxLag))
				}
			}
			if h := a.Health(); len(h) < late {
				t.Errorf("%s: health %q", what, h)
			}
		}
		check("nothing", time.Time{}, 0, 0)
		commit := time.Now()
		open := filepath.Join(s.dir, shipRef(1).ID.String()+".open")
		testkit.Must(t, os.WriteFile(open, logBytes(t, shipUUID, shipRef(1), 1, 3, 100, commit, false), 0o600))
		check("not sealed", commit, 0, 0)
		time.Sleep(time.Hour)
		check("not sealed for an hour", commit, time.Since(commit), 1)
		testkit.Must(t, os.Remove(open))
		s.targets[0].hook(func(context.Context, string, string) error { return errors.New("503") }, nil)
		testkit.Must(t, os.WriteFile(s.path(1), logBytes(t, shipUUID, shipRef(1), 1, 3, 100, commit, true), 0o400))
		check("sealed and not shipped", commit, time.Since(commit), 1)
		s.targets[0].hook(nil, nil)
		time.Sleep(2 * time.Minute)
		check("shipped", time.Time{}, 0, 0)
		testkit.Must(t, stop())
	})
}

// TestTheStoreIsJudgedWhereItChanged: to find out whether it opens reads every header.
func TestTheStoreIsJudgedWhereItChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		judged, broken := 0, error(nil)
		s := standing{opens: func(fs.FS) error {
			judged++
			time.Sleep(time.Second)
			return broken
		}}
		want := func(n int, state uint64, want error) {
			t.Helper()
			if err := s.judge(nil, state); err != want || judged != n {
				t.Errorf("judged %d times: %v; want %d, %v", judged, err, n, want)
			}
		}
		want(1, 1, nil)
		want(1, 2, nil) // too soon
		time.Sleep(time.Minute)
		want(2, 2, nil)
		time.Sleep(time.Minute)
		want(2, 2, nil) // as it was
		broken = source.ErrBroken
		time.Sleep(judgeAgain)
		want(3, 2, source.ErrBroken) // but not for ever
		want(3, 3, source.ErrBroken) // too soon to look again, and broken as it was
		broken = nil
		time.Sleep(time.Minute)
		want(4, 2, nil) // what is broken is looked at as soon as may be
	})
}
