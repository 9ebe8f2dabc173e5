package archiver_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
	"github.com/varve-db/varve/store"
)

// grown returns a store of n commits that is shipped and still open.
func grown(t *testing.T, seed uint64, n int) (*life, *vault, *archiver.Archive) {
	l, v := newLife(t, seed), newVault()
	t.Cleanup(func() { l.db.Close() })
	a := v.open(t)
	l.grow(v, n)
	return l, v, a
}

// grow makes n commits and ships them.
func (l *life) grow(v *vault, n int) {
	l.t.Helper()
	for range n {
		l.commit()
	}
	l.seal()
	v.ship(l.t, l.dir)
}

func names(t *testing.T, dir string) string {
	t.Helper()
	list, err := os.ReadDir(dir)
	testkit.Must(t, err)
	s := ""
	for _, e := range list {
		s += e.Name() + " "
	}
	return s
}

func TestAStandbyIsFreshenedWhileItIsRead(t *testing.T) {
	l, v, a := grown(t, 1, 60)
	dest := filepath.Join(t.TempDir(), "standby")
	restoreTo(t, a, planOf(t, a, l.uuid, archiver.Point{}), dest)
	r, err := store.OpenReadOnly(dest, nil)
	testkit.Must(t, err)
	defer r.Close()
	same(t, "seed 1, at first", contents(t, r), l.now)
	for round := range 4 {
		was := maps.Clone(l.now)
		l.grow(v, 40)
		v.reset()
		plan := planOf(t, a, l.uuid, archiver.Point{})
		rep := restoreTo(t, a, plan, dest)
		if !rep.Freshened || rep.Fetched == 0 || rep.Fetched >= rep.Bytes {
			t.Fatalf("round %d: fetched %d of %d bytes", round, rep.Fetched, rep.Bytes)
		}
		same(t, "before Refresh", contents(t, r), was)
		testkit.Must(t, r.Refresh())
		same(t, "after Refresh", contents(t, r), l.now)
		readsTo(t, "opened anew", dest, l.now)
		if got := strings.Count(names(t, dest), ".open"); got != 1 {
			t.Fatalf("round %d: %d logs are left: %s", round, got, names(t, dest))
		}
		rep = restoreTo(t, a, plan, dest)
		if !rep.Unchanged || rep.Fetched != 0 || len(rep.Removed) != 0 {
			t.Fatalf("round %d: freshening twice did something: %+v", round, rep)
		}
	}
	opensTo(t, "for writing", dest, l.now)
}

func TestAStandbyGoesOnWithinALog(t *testing.T) {
	l, _, a := grown(t, 2, 200)
	dest := filepath.Join(t.TempDir(), "standby")
	for i, m := range l.moments {
		if i%7 != 0 {
			continue
		}
		restoreTo(t, a, planOf(t, a, l.uuid, archiver.Point{Seq: m.seq}), dest)
		readsTo(t, fmt.Sprintf("seed 2, number %d", m.seq), dest, m.want)
	}
}

func TestACopyWithTheFirstPartOfALogIsFreshened(t *testing.T) {
	l, v, a := grown(t, 3, 60)
	l.commit()
	dest := filepath.Join(t.TempDir(), "copy")
	l.copyOpen(dest) // with the running log
	open := l.db.Stats().Segments
	first := filepath.Base(open[len(open)-1].File)
	l.grow(v, 2)
	restoreTo(t, a, planOf(t, a, l.uuid, archiver.Point{}), dest)
	if strings.Contains(names(t, dest), first) {
		t.Errorf("%s is still there: %s", first, names(t, dest))
	}
	opensTo(t, "seed 3", dest, l.now)
}

func TestACopyThatIsNoOlderCopyIsRefused(t *testing.T) {
	l, v, a := grown(t, 4, 60)
	plan := planOf(t, a, l.uuid, archiver.Point{})
	refused := func(what, dest string, p *archiver.Plan) {
		t.Helper()
		before := names(t, dest)
		_, err := archiver.Restore(t.Context(), a, dest, archiver.RestoreOptions{Plan: p})
		e, ok := errors.AsType[*archiver.DivergedError](err)
		if !ok || !strings.Contains(err.Error(), p.Timeline.String()) || !strings.Contains(err.Error(), e.Timeline.String()) {
			t.Fatalf("%s: %v", what, err)
		}
		if after := strings.ReplaceAll(names(t, dest), "LOCK ", ""); after != strings.ReplaceAll(before, "LOCK ", "") {
			t.Fatalf("%s: %s became %s", what, before, after)
		}
	}
	written := filepath.Join(t.TempDir(), "written")
	restoreTo(t, a, plan, written)
	db, err := store.Open(written, nil)
	testkit.Must(t, err)
	testkit.Must(t, db.Put([]byte("k"), []byte("v")))
	testkit.Must(t, db.Close())
	l.grow(v, 40)
	later := planOf(t, a, l.uuid, archiver.Point{})
	refused("written to since", written, later)
	readsTo(t, "and left alone", written, func() map[string]string {
		m := maps.Clone(l.moments[59].want)
		m["k"] = "v"
		return m
	}())

	ahead := filepath.Join(t.TempDir(), "ahead")
	restoreTo(t, a, later, ahead)
	refused("later than the point", ahead, plan)

	rolled := filepath.Join(t.TempDir(), "rolled")
	restoreTo(t, a, plan, rolled)
	db, err = store.Open(rolled, nil)
	testkit.Must(t, err)
	testkit.Must(t, db.Put([]byte("k"), []byte("v")))
	_, err = db.Seal()
	testkit.Must(t, err)
	testkit.Must(t, db.Put([]byte("k"), []byte("w")))
	testkit.Must(t, db.Close())
	refused("written to and rolled", rolled, later)

	other := newLife(t, 5)
	other.commit()
	other.close()
	refused("another store", other.dir, later)

	held := filepath.Join(t.TempDir(), "held")
	restoreTo(t, a, plan, held)
	db, err = store.Open(held, nil)
	testkit.Must(t, err)
	defer db.Close()
	if _, err := archiver.Restore(t.Context(), a, held, archiver.RestoreOptions{Plan: later}); !errors.Is(err, vfs.ErrLocked) {
		t.Errorf("open for writing: %v", err)
	}
}

// TestALogThatIsAnotherIsRefused has two writers go on with the same log, as after a
// machine was cloned.
func TestALogThatIsAnotherIsRefused(t *testing.T) {
	f := newForger(t)
	f.log(1, nil, "a=1")
	dest := t.TempDir()
	first := f.ref(1)
	testkit.Must(t, os.WriteFile(filepath.Join(dest, first.ID.String()+".seg"), f.v.objects[objectOf(f.uuid, first)], 0o400))
	was := *f
	running, _ := f.running(2, []segment.ID{1}, "b=other")
	*f = was
	f.log(2, []segment.ID{1}, "b=2", "c=3")
	testkit.Must(t, os.WriteFile(filepath.Join(dest, f.ref(2).ID.String()+".open"), running, 0o600))
	a := f.v.open(t)
	_, err := archiver.Restore(t.Context(), a, dest, archiver.RestoreOptions{Plan: planOf(t, a, f.uuid, archiver.Point{})})
	if !errors.Is(err, archiver.ErrDiverged) || !strings.Contains(err.Error(), f.ref(2).String()) {
		t.Errorf("%v", err)
	}
	readsTo(t, "left alone", dest, map[string]string{"a": "1", "b": "other"})
}

func TestDamageInACopyIsHealed(t *testing.T) {
	l, v, a := grown(t, 6, 100)
	dest := filepath.Join(t.TempDir(), "copy")
	plan := planOf(t, a, l.uuid, archiver.Point{})
	restoreTo(t, a, plan, dest)
	bad := filepath.Join(dest, plan.Segments[2].Ref.ID.String()+".seg")
	b, err := os.ReadFile(bad)
	testkit.Must(t, err)
	testkit.Must(t, os.Chmod(bad, 0o600))
	b[len(b)/2] ^= 1
	testkit.Must(t, os.WriteFile(bad, b, 0o400))
	v.reset()
	rep := restoreTo(t, a, plan, dest)
	if rep.Fetched != plan.Segments[2].Size {
		t.Errorf("fetched %d bytes to heal a segment of %d", rep.Fetched, plan.Segments[2].Size)
	}
	opensTo(t, "seed 6", dest, l.now)
}

// TestDamageInTheArchiveIsNamed also shows that nothing is put in place.
func TestDamageInTheArchiveIsNamed(t *testing.T) {
	l, v, a := grown(t, 7, 100)
	older := planOf(t, a, l.uuid, archiver.Point{})
	copied := filepath.Join(t.TempDir(), "copy")
	restoreTo(t, a, older, copied)
	was := maps.Clone(l.now)
	l.grow(v, 60)
	plan := planOf(t, a, l.uuid, archiver.Point{})
	bad := objectOf(l.uuid, plan.Segments[len(plan.Segments)-2].Ref)
	flip := func() {
		b := []byte(string(v.objects[bad]))
		b[len(b)/3] ^= 4
		v.objects[bad] = b
	}
	flip()
	dest := filepath.Join(t.TempDir(), "dest")
	for _, to := range []string{dest, copied} {
		_, err := archiver.Restore(t.Context(), a, to, archiver.RestoreOptions{Plan: plan})
		if _, ok := errors.AsType[*segment.CorruptError](err); !ok || !strings.Contains(err.Error(), bad) {
			t.Fatalf("restore to %s: %v", to, err)
		}
	}
	if _, err := os.Stat(dest); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a %s: %v", dest, err)
	}
	readsTo(t, "the copy", copied, was)
	flip() // back
	v.reset()
	rep := restoreTo(t, a, plan, dest)
	if rep.Fetched >= rep.Bytes/2 {
		t.Errorf("%d of %d bytes were fetched again", rep.Fetched, rep.Bytes)
	}
	opensTo(t, "after all", dest, l.now)
}

// TestACopyThatLostWhatItHeldIsRefused: a copy was written to and closed, and its newest log was
// damaged since. What is left of that log is the copy before it was written to; the close
// told, in the lock file, how much there was.
func TestACopyThatLostWhatItHeldIsRefused(t *testing.T) {
	l, v, a := grown(t, 8, 60)
	first := planOf(t, a, l.uuid, archiver.Point{})
	l.grow(v, 20)
	later := planOf(t, a, l.uuid, archiver.Point{})
	for name, c := range map[string]struct {
		seal   bool // between the two puts
		injure func(log string) error
		want   func(error) bool
	}{
		"its records are zeroed": {false, func(log string) error {
			b, err := os.ReadFile(log)
			if err != nil {
				return err
			}
			r, err := segment.NewReader(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				return err
			}
			clear(b[r.HeaderSize:])
			return os.WriteFile(log, b, 0o600)
		}, func(err error) bool { _, ok := errors.AsType[*segment.CorruptError](err); return ok }},
		"it is gone":    {true, os.Remove, func(err error) bool { return errors.Is(err, integrity.ErrLostLog) }},
		"it is emptied": {true, func(log string) error { return os.Truncate(log, 0) }, func(err error) bool { return errors.Is(err, integrity.ErrLostLog) }},
	} {
		t.Run(name, func(t *testing.T) {
			dest := filepath.Join(t.TempDir(), "copy")
			restoreTo(t, a, first, dest)
			db, err := store.Open(dest, nil)
			testkit.Must(t, err)
			testkit.Must(t, db.Put([]byte("own"), []byte("1")))
			if c.seal {
				_, err = db.Seal()
				testkit.Must(t, err)
				testkit.Must(t, db.Put([]byte("own"), []byte("2")))
			}
			testkit.Must(t, db.Close())
			s, err := integrity.Look(vfs.Dir(dest))
			testkit.Must(t, err)
			testkit.Must(t, c.injure(filepath.Join(dest, s.NewestLog().Name)))
			before := names(t, dest)
			_, err = archiver.Restore(t.Context(), a, dest, archiver.RestoreOptions{Plan: later})
			if !c.want(err) || !strings.Contains(err.Error(), dest) {
				t.Errorf("%v", err)
			}
			if after := names(t, dest); after != before {
				t.Errorf("%s became %s", before, after)
			}
		})
	}
}
