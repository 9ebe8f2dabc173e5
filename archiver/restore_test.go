package archiver_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/varve-db/varve/archiver"
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
	must(t, os.RemoveAll(dest))

	fsys, err := a.FS(t.Context(), plan)
	must(t, err)
	r, err := store.OpenReadOnlyFS(fsys, nil)
	if err != nil {
		t.Fatalf("%s, as a folder: %v", what, err)
	}
	same(t, what+", as a folder", contents(t, r), m.want)
	must(t, r.Close())
	readsInPlace(t, what+", in place", a.Reader(t.Context(), plan, nil), m.want)
}

// readsInPlace compares scans and gets with the model.
func readsInPlace(t *testing.T, what string, r *archiver.Reader, want map[string]string) {
	t.Helper()
	for _, reverse := range []bool{false, true} {
		got, last := map[string]string{}, ""
		for rec, err := range r.Scan(archiver.ReadRange{Reverse: reverse}) {
			must(t, err)
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
		if value, there := want[key]; !there {
			if !errors.Is(err, archiver.ErrNotFound) {
				t.Fatalf("%s: get %q, which is not there: %v", what, key, err)
			}
		} else if err != nil || string(rec.Value) != value {
			t.Fatalf("%s: get %q: %v", what, key, err)
		}
	}
}
