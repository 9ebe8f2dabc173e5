package archiver_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver"
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
	l, v := newLife(t, seed), newVault()
	for i := range 600 {
		l.commit()
		switch l.rng.IntN(40) {
		case 0:
			l.seal()
		case 1:
			l.close()
			l.open()
		case 2:
			l.close()
			v.ship(t, l.dir)
			l.copyTo(filepath.Join(t.TempDir(), fmt.Sprint(i)))
			l.open()
		}
	}
	l.commit()
	l.seal()
	l.close()
	v.ship(t, l.dir)
	a := v.open(t)
	t.Logf("seed %d: %d commits, %d numbers, %d segments", seed, len(l.moments), l.seq, len(v.names()))
	for n := range points(t) {
		i := l.rng.IntN(len(l.moments))
		m := l.moments[i]
		p := archiver.Point{Seq: m.seq}
		if next := i + 1; next < len(l.moments) && l.rng.IntN(2) == 0 {
			p.Seq += uint64(l.rng.IntN(int(l.moments[next].seq - m.seq))) // inside of the next batch
		}
		if n%2 == 1 {
			p = archiver.Point{Time: m.at}
		}
		checkPoint(t, fmt.Sprintf("seed %d, point %v, after number %d", seed, &p, m.seq), a, l.uuid, p, m)
	}
	newest := l.moments[len(l.moments)-1]
	checkPoint(t, "the newest", a, l.uuid, archiver.Point{}, newest)
}

// checkPoint brings a point back in every way.
func checkPoint(t *testing.T, what string, a *archiver.Archive, u segment.UUID, p archiver.Point, m moment) {
	t.Helper()
	plan := planOf(t, a, u, p)
	if plan.Seq != m.seq {
		t.Fatalf("%s: the plan ends with number %d", what, plan.Seq)
	}
	dest := filepath.Join(t.TempDir(), "dest")
	restoreTo(t, a, plan, dest)
	opensTo(t, what+", restored", dest, m.want)
	testkit.Must(t, os.RemoveAll(dest))

	fsys, err := plan.FS(t.Context())
	testkit.Must(t, err)
	r, err := store.OpenReadOnlyFS(fsys, nil)
	if err != nil {
		t.Fatalf("%s, as a folder: %v", what, err)
	}
	same(t, what+", as a folder", contents(t, r), m.want)
	testkit.Must(t, r.Close())
	readsInPlace(t, what+", in place", archiver.NewReader(t.Context(), a, plan, nil), m.want)
}

// readsInPlace compares scans and gets with the model.
func readsInPlace(t *testing.T, what string, r *archiver.Reader, want map[string]string) {
	t.Helper()
	for _, reverse := range []bool{false, true} {
		got, last := map[string]string{}, ""
		for rec, err := range r.Scan(segment.Range{Reverse: reverse}) {
			testkit.Must(t, err)
			if key := string(rec.Key); last != "" && (key > last) == reverse {
				t.Fatalf("%s: %q after %q", what, key, last)
			}
			last = string(rec.Key)
			got[last] = string(rec.Value)
		}
		same(t, what, got, want)
	}
	for i := range 40 {
		key := fmt.Sprintf("key/%02d", i)
		rec, err := r.Get([]byte(key))
		if has, err := r.Has([]byte(key)); err != nil || has != (want[key] != "") {
			t.Fatalf("%s: has %q: %v, %v", what, key, has, err)
		}
		if value, there := want[key]; !there {
			if !errors.Is(err, segment.ErrNotFound) {
				t.Fatalf("%s: get %q, which is not there: %v", what, key, err)
			}
		} else if err != nil || string(rec.Value) != value {
			t.Fatalf("%s: get %q: %v", what, key, err)
		}
	}
}

// TestADiskWithoutRoomIsFoundBefore also fills the disk on the way, where the system
// did not tell how much is free.
func TestADiskWithoutRoomIsFoundBefore(t *testing.T) {
	l, v, a := grown(t, 70, 60)
	o := archiver.RestoreOptions{Plan: planOf(t, a, l.uuid, archiver.Point{Seq: l.moments[50].seq}), Parallel: 1}
	fsys := crashfs.New()
	fsys.SetFree(1<<20 + o.Plan.Bytes() - 1)
	v.reset()
	_, err := archiver.BuildIn(t.Context(), a, fsys, o)
	if !errors.Is(err, archiver.ErrNoRoom) || len(v.opened) > 0 || len(fsys.Names()) > 0 {
		t.Errorf("%v; %d objects were opened, %v is there", err, len(v.opened), fsys.Names())
	}
	_, err = archiver.RestoreBeside(t.Context(), a, fsys, "d", o)
	if list, listErr := fsys.ReadDir("."); !errors.Is(err, archiver.ErrNoRoom) || len(list) > 0 || listErr != nil {
		t.Errorf("where there is no folder: %v; %v is there, %v", err, list, listErr)
	}
	fsys.SetBytes("LOCK", []byte("with a witness, perhaps"))
	_, err = archiver.BuildIn(t.Context(), a, fsys, o)
	if names := fsys.Names(); !errors.Is(err, archiver.ErrNoRoom) || len(names) != 1 || names[0] != "LOCK" {
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
	if _, err = archiver.BuildIn(t.Context(), a, fsys, o); !errors.Is(err, archiver.ErrNoRoom) {
		t.Errorf("full on the way: %v", err)
	}
	fsys.SetFree(-1)
	rep, err := archiver.BuildIn(t.Context(), a, fsys, o)
	if err != nil || rep.Fetched > rep.Bytes*2/3 {
		t.Errorf("after that: fetched %d of %d bytes: %v", rep.Fetched, rep.Bytes, err)
	}
	testkit.Must(t, isNowThere(fsys, l.moments[50].want))
}

// TestWhileARestoreRunsItIsPinned looks at the archive from within a restore.
func TestWhileARestoreRunsItIsPinned(t *testing.T) {
	l, v, a := grown(t, 71, 60)
	plan := planOf(t, a, l.uuid, archiver.Point{})
	pins := func() (n int) {
		v.mu.Lock()
		defer v.mu.Unlock()
		for name := range v.objects {
			if strings.Contains(name, "/restores/") {
				n++
			}
		}
		return n
	}
	most := 0
	var last archiver.Progress
	o := archiver.RestoreOptions{Plan: plan, Progress: func(p archiver.Progress) {
		if p.Total != plan.Bytes() || p.LogTime.Before(last.LogTime) {
			t.Errorf("progress %+v after %+v", p, last)
		}
		most, last = max(most, pins()), p
	}}
	_, err := archiver.Restore(t.Context(), a, filepath.Join(t.TempDir(), "a"), o)
	testkit.Must(t, err)
	if most != 1 || pins() != 0 {
		t.Errorf("%d pins while it ran, %d after", most, pins())
	}
	if last.Bytes != plan.Bytes() || !last.LogTime.Equal(plan.Time) || last.LogTime.Before(l.moments[0].at.Add(-time.Minute)) {
		t.Errorf("at the end, progress was %+v of %d bytes up to %v", last, plan.Bytes(), plan.Time)
	}
	v.readOnly = true
	rep, err := archiver.Restore(t.Context(), a, filepath.Join(t.TempDir(), "b"), archiver.RestoreOptions{Plan: plan})
	if err != nil || len(rep.Notes) != 1 || !strings.Contains(rep.Notes[0], "prune") {
		t.Errorf("from a target that may only be read: %v, %+v", err, rep)
	}
}
