package store

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/varve-db/varve/internal/crashfs"
)

// TestLeaderWaitsForItsCrowd lets a commit lead a group after one of three. It goes on when
// three have joined, when nobody can join any more, or when a quarter of a sync's time
// is over. The clock stands still as long as anything runs.
func TestLeaderWaitsForItsCrowd(t *testing.T) {
	const quarter = time.Minute
	for name, c := range map[string]struct {
		crowd int   // in the group before
		sizes []int // of the values that are put after the first
		took  time.Duration
	}{
		"the last one joins":          {3, []int{1, 1}, 0},
		"one is missing":              {3, []int{1}, quarter},
		"another group is begun":      {3, []int{groupSize}, 0},
		"the log is full":             {3, []int{900 << 10, 200 << 10}, 0},
		"the one before was no crowd": {1, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := mustOpen(t, crashfs.New(), Options{SegmentSize: 1 << 20})
				mustPut(t, db, "before", "1")
				time.Sleep(time.Second) // the keeper goes to sleep
				db.ioMu.Lock()
				db.crowd, db.syncTook = c.crowd, 4*quarter
				db.ioMu.Unlock()
				start := time.Now()
				took := make(chan time.Duration, len(c.sizes)+1)
				for i, size := range append([]int{1}, c.sizes...) {
					go func() {
						if err := db.Put(fmt.Append(nil, i), make([]byte, size)); err != nil {
							t.Error(err)
						}
						took <- time.Since(start)
					}()
					synctest.Wait()
				}
				for range cap(took) {
					if got := <-took; got != c.took {
						t.Errorf("a commit took %v, want %v", got, c.took)
					}
				}
				mustClose(t, db)
			})
		})
	}
}

// TestLateTimersArePaidFor leads groups after a wait that took ten times what it may: the
// next ten do not wait.
func TestLateTimersArePaidFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := mustOpen(t, crashfs.New(), Options{})
		const quarter = time.Second
		db.ioMu.Lock()
		db.crowd, db.syncTook, db.patience = 2, 4*quarter, -10*quarter
		waits := ""
		for range 12 {
			start := time.Now()
			db.await(&group{log: db.newest, commits: 1})
			waits += fmt.Sprint(int(time.Since(start) / quarter))
		}
		db.ioMu.Unlock()
		if want := "000000000011"; waits != want {
			t.Errorf("waits of %s quarters, want %s", waits, want)
		}
		mustClose(t, db)
	})
}
