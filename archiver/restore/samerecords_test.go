package restore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/internal/archivetest"
	"github.com/varve-db/varve/archiver/restore"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/store"
)

// reopened copies a store times over. Each copy is opened for writing, which begins a
// timeline, changed, and closed. The last one is returned.
func reopened(t *testing.T, dir string, times int, change func(n int, db *store.DB)) string {
	t.Helper()
	for n := range times {
		to := filepath.Join(t.TempDir(), fmt.Sprint("copy", n))
		testkit.Must(t, os.CopyFS(to, os.DirFS(dir)))
		db, err := store.Open(to, nil)
		testkit.Must(t, err)
		if db.OpenReport().Begun == nil {
			t.Fatal("the copy began no timeline")
		}
		if change != nil {
			change(n, db)
		}
		testkit.Must(t, db.Close())
		dir = to
	}
	return dir
}

// TestACopyThatWasOnlyOpenedIsFreshened: it is on a timeline whose parent the archive
// never saw. Seed 81.
func TestACopyThatWasOnlyOpenedIsFreshened(t *testing.T) {
	for _, unsealed := range []int{0, 7} { // commits in the log at the time of the copy
		for times := 1; times <= 3; times++ {
			t.Run(fmt.Sprint(unsealed, times), func(t *testing.T) {
				l, v, a := archivetest.Grown(t, 81, 40)
				for range unsealed {
					l.Commit()
				}
				testkit.Must(t, l.DB.Sync())
				at := l.Moments[len(l.Moments)-1]
				standby := reopened(t, l.Dir, times, nil)
				archivetest.ReadsTo(t, "the copy", standby, at.Want)
				l.Grow(v, 30)
				rep := archivetest.RestoreTo(t, a, archivetest.PlanOf(t, a, l.UUID, history.Point{}), standby)
				if !rep.Freshened || rep.Unchanged {
					t.Errorf("%+v", rep)
				}
				archivetest.OpensTo(t, "freshened", standby, l.Moments[len(l.Moments)-1].Want)
			})
		}
	}
}

// TestACopyWithARecordOfItsOwnIsRefused, at whichever of its opens that was written, and
// also where the archive has as many records since. Seed 82.
func TestACopyWithARecordOfItsOwnIsRefused(t *testing.T) {
	for _, unsealed := range []int{0, 7} {
		for when := range 3 {
			t.Run(fmt.Sprint(unsealed, when), func(t *testing.T) {
				l, v, a := archivetest.Grown(t, 82, 40)
				for range unsealed {
					l.Commit()
				}
				testkit.Must(t, l.DB.Sync())
				standby := reopened(t, l.Dir, 3, func(n int, db *store.DB) {
					if n == when {
						testkit.Must(t, db.Put([]byte("own"), []byte("x")))
					}
				})
				l.Grow(v, 30)
				_, err := restore.Run(t.Context(), a, standby, restore.Options{Plan: archivetest.PlanOf(t, a, l.UUID, history.Point{})})
				if !errors.Is(err, restore.ErrDiverged) {
					t.Fatalf("%v", err)
				}
				db, err := store.OpenReadOnly(standby, nil)
				testkit.Must(t, err)
				defer db.Close()
				if got, err := db.Get([]byte("own")); err != nil || string(got) != "x" {
					t.Errorf("its own record: %q, %v", got, err)
				}
			})
		}
	}
}
