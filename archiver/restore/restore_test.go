package restore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/inplace"
	"github.com/varve-db/varve/archiver/internal/archivetest"
	"github.com/varve-db/varve/archiver/restore"
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/segment"
	"github.com/varve-db/varve/store"
)

// points is how many random points TestEveryPointIsTheModel restores.
func points(t *testing.T) int {
	if n, err := strconv.Atoi(os.Getenv("VARVE_RESTORE_POINTS")); err == nil {
		return n
	}
	if testing.Short() {
		return 40
	}
	return 200
}

// TestEveryPointIsTheModel writes a store at random, over reopens, copies that go
// on with a timeline of their own, and seals; and brings back random points by time
// and by sequence number: each is what the model was, restored, opened in place
// as a folder, and read in place.
func TestEveryPointIsTheModel(t *testing.T) {
	t.Parallel() // it waits for the disk
	const seed = 11
	l, v := archivetest.NewLife(t, seed), archivetest.NewVault()
	for i := range 600 {
		l.Commit()
		switch l.Rand.IntN(40) {
		case 0:
			l.Seal()
		case 1:
			l.Close()
			l.Open()
		case 2:
			l.Close()
			v.Ship(t, l.Dir)
			l.CopyTo(filepath.Join(t.TempDir(), fmt.Sprint(i)))
			l.Open()
		}
	}
	l.Commit()
	l.Seal()
	l.Close()
	v.Ship(t, l.Dir)
	a := v.Archive(t)
	t.Logf("seed %d: %d commits, %d numbers, %d segments", seed, len(l.Moments), l.Seq, len(v.Names()))
	for n := range points(t) {
		i := l.Rand.IntN(len(l.Moments))
		m := l.Moments[i]
		p := history.Point{Seq: m.Seq}
		if next := i + 1; next < len(l.Moments) && l.Rand.IntN(2) == 0 {
			p.Seq += uint64(l.Rand.IntN(int(l.Moments[next].Seq - m.Seq))) // inside of the next batch
		}
		if n%2 == 1 {
			p = history.Point{Time: m.At}
		}
		checkPoint(t, fmt.Sprintf("seed %d, point %v, after number %d", seed, &p, m.Seq), a, l.UUID, p, m)
	}
	newest := l.Moments[len(l.Moments)-1]
	checkPoint(t, "the newest", a, l.UUID, history.Point{}, newest)
}

// checkPoint brings a point back in every way.
func checkPoint(t *testing.T, what string, a *archive.Archive, u segment.UUID, p history.Point, m archivetest.Moment) {
	t.Helper()
	plan := archivetest.PlanOf(t, a, u, p)
	if plan.Seq != m.Seq {
		t.Fatalf("%s: the plan ends with number %d", what, plan.Seq)
	}
	dest := filepath.Join(t.TempDir(), "dest")
	archivetest.RestoreTo(t, a, plan, dest)
	archivetest.OpensTo(t, what+", restored", dest, m.Want)
	testkit.Must(t, os.RemoveAll(dest))

	fsys, err := plan.FS(t.Context())
	testkit.Must(t, err)
	r, err := store.OpenReadOnlyFS(fsys, nil)
	if err != nil {
		t.Fatalf("%s, as a folder: %v", what, err)
	}
	archivetest.Same(t, what+", as a folder", archivetest.Contents(t, r), m.Want)
	testkit.Must(t, r.Close())
	archivetest.ReadsInPlace(t, what+", in place", inplace.NewReader(t.Context(), a, plan, nil), m.Want)
}

// TestADiskWithoutRoomIsFoundBefore also fills the disk on the way, where the system did not
// report how much is free.
func TestADiskWithoutRoomIsFoundBefore(t *testing.T) {
	l, v, a := archivetest.Grown(t, 70, 60)
	o := restore.Options{Plan: archivetest.PlanOf(t, a, l.UUID, history.Point{Seq: l.Moments[50].Seq}), Parallel: 1}
	fsys := crashfs.New()
	fsys.SetFree(1<<20 + o.Plan.Bytes() - 1)
	v.Reset()
	_, err := restore.BuildIn(t.Context(), a, fsys, o)
	if !errors.Is(err, restore.ErrNoRoom) || len(v.Opened) > 0 || len(fsys.Names()) > 0 {
		t.Errorf("%v; %d objects were opened, %v is there", err, len(v.Opened), fsys.Names())
	}
	_, err = restore.RestoreBeside(t.Context(), a, fsys, "d", o)
	if list, listErr := fsys.ReadDir("."); !errors.Is(err, restore.ErrNoRoom) || len(list) > 0 || listErr != nil {
		t.Errorf("where there is no folder: %v; %v is there, %v", err, list, listErr)
	}
	fsys.SetBytes("LOCK", []byte("with a witness, perhaps"))
	_, err = restore.BuildIn(t.Context(), a, fsys, o)
	if names := fsys.Names(); !errors.Is(err, restore.ErrNoRoom) || len(names) != 1 || names[0] != "LOCK" {
		t.Errorf("with a lock file: %v; %v is there", err, names)
	}
	testkit.Must(t, fsys.Remove("LOCK"))
	fsys.Fail(func(op crashfs.Op) error {
		if op.Kind == crashfs.OpFree {
			return errors.New("not told")
		}
		return nil
	})
	fsys.SetFree(o.Plan.Bytes()/2 + 8<<10) // some of it for the lock file and the mark
	if _, err = restore.BuildIn(t.Context(), a, fsys, o); !errors.Is(err, restore.ErrNoRoom) {
		t.Errorf("full on the way: %v", err)
	}
	fsys.SetFree(-1)
	rep, err := restore.BuildIn(t.Context(), a, fsys, o)
	if err != nil || rep.Fetched > rep.Bytes*2/3 {
		t.Errorf("after that: fetched %d of %d bytes: %v", rep.Fetched, rep.Bytes, err)
	}
	testkit.Must(t, isNowThere(fsys, l.Moments[50].Want))
}

// TestWhileARestoreRunsItIsPinned looks at the archive from within a restore.
func TestWhileARestoreRunsItIsPinned(t *testing.T) {
	l, v, a := archivetest.Grown(t, 71, 60)
	plan := archivetest.PlanOf(t, a, l.UUID, history.Point{})
	pins := func() (n int) {
		v.Mu.Lock()
		defer v.Mu.Unlock()
		for name := range v.Objects {
			if strings.Contains(name, "/restores/") {
				n++
			}
		}
		return n
	}
	most := 0
	var last restore.Progress
	o := restore.Options{Plan: plan, Progress: func(p restore.Progress) {
		if p.Total != plan.Bytes() || p.LogTime.Before(last.LogTime) {
			t.Errorf("progress %+v after %+v", p, last)
		}
		most, last = max(most, pins()), p
	}}
	_, err := restore.Run(t.Context(), a, filepath.Join(t.TempDir(), "a"), o)
	testkit.Must(t, err)
	if most != 1 || pins() != 0 {
		t.Errorf("%d pins while it ran, %d after", most, pins())
	}
	if last.Bytes != plan.Bytes() || !last.LogTime.Equal(plan.Time) || last.LogTime.Before(l.Moments[0].At.Add(-time.Minute)) {
		t.Errorf("at the end, progress was %+v of %d bytes up to %v", last, plan.Bytes(), plan.Time)
	}
	v.ReadOnly = true
	rep, err := restore.Run(t.Context(), a, filepath.Join(t.TempDir(), "b"), restore.Options{Plan: plan})
	if err != nil || len(rep.Notes) != 1 || !strings.Contains(rep.Notes[0], "prune") {
		t.Errorf("from a target that may only be read: %v, %+v", err, rep)
	}
}
