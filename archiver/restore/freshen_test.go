package restore_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/internal/archivetest"
	"github.com/varve-db/varve/archiver/restore"
	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
	"github.com/varve-db/varve/store"
)

func TestAStandbyIsFreshenedWhileItIsRead(t *testing.T) {
	l, v, a := archivetest.Grown(t, 1, 60)
	dest := filepath.Join(t.TempDir(), "standby")
	archivetest.RestoreTo(t, a, archivetest.PlanOf(t, a, l.UUID, history.Point{}), dest)
	r, err := store.OpenReadOnly(dest, nil)
	testkit.Must(t, err)
	defer r.Close()
	archivetest.Same(t, "seed 1, at first", archivetest.Contents(t, r), l.Now)
	for round := range 4 {
		was := maps.Clone(l.Now)
		l.Grow(v, 40)
		v.Reset()
		plan := archivetest.PlanOf(t, a, l.UUID, history.Point{})
		rep := archivetest.RestoreTo(t, a, plan, dest)
		if !rep.Freshened || rep.Fetched == 0 || rep.Fetched >= rep.Bytes {
			t.Fatalf("round %d: fetched %d of %d bytes", round, rep.Fetched, rep.Bytes)
		}
		archivetest.Same(t, "before Refresh", archivetest.Contents(t, r), was)
		testkit.Must(t, r.Refresh())
		archivetest.Same(t, "after Refresh", archivetest.Contents(t, r), l.Now)
		archivetest.ReadsTo(t, "opened anew", dest, l.Now)
		if got := strings.Count(archivetest.Names(t, dest), ".open"); got != 1 {
			t.Fatalf("round %d: %d logs are left: %s", round, got, archivetest.Names(t, dest))
		}
		rep = archivetest.RestoreTo(t, a, plan, dest)
		if !rep.Unchanged || rep.Fetched != 0 || len(rep.Removed) != 0 {
			t.Fatalf("round %d: freshening twice did something: %+v", round, rep)
		}
	}
	archivetest.OpensTo(t, "for writing", dest, l.Now)
}

func TestAStandbyGoesOnWithinALog(t *testing.T) {
	l, _, a := archivetest.Grown(t, 2, 200)
	dest := filepath.Join(t.TempDir(), "standby")
	for i, m := range l.Moments {
		if i%7 != 0 {
			continue
		}
		archivetest.RestoreTo(t, a, archivetest.PlanOf(t, a, l.UUID, history.Point{Seq: m.Seq}), dest)
		archivetest.ReadsTo(t, fmt.Sprintf("seed 2, number %d", m.Seq), dest, m.Want)
	}
}

func TestACopyWithTheFirstPartOfALogIsFreshened(t *testing.T) {
	l, v, a := archivetest.Grown(t, 3, 60)
	l.Commit()
	dest := filepath.Join(t.TempDir(), "copy")
	l.CopyOpen(dest) // with the running log
	open := l.DB.Stats().Segments
	first := filepath.Base(open[len(open)-1].File)
	l.Grow(v, 2)
	archivetest.RestoreTo(t, a, archivetest.PlanOf(t, a, l.UUID, history.Point{}), dest)
	if strings.Contains(archivetest.Names(t, dest), first) {
		t.Errorf("%s is still there: %s", first, archivetest.Names(t, dest))
	}
	archivetest.OpensTo(t, "seed 3", dest, l.Now)
}

func TestACopyThatIsNoOlderCopyIsRefused(t *testing.T) {
	l, v, a := archivetest.Grown(t, 4, 60)
	plan := archivetest.PlanOf(t, a, l.UUID, history.Point{})
	refused := func(what, dest string, p *history.Plan) {
		t.Helper()
		before := archivetest.Names(t, dest)
		_, err := restore.Run(t.Context(), a, dest, restore.Options{Plan: p})
		e, ok := errors.AsType[*restore.DivergedError](err)
		if !ok || !strings.Contains(err.Error(), p.Timeline.String()) || !strings.Contains(err.Error(), e.Timeline.String()) {
			t.Fatalf("%s: %v", what, err)
		}
		if after := strings.ReplaceAll(archivetest.Names(t, dest), "LOCK ", ""); after != strings.ReplaceAll(before, "LOCK ", "") {
			t.Fatalf("%s: %s became %s", what, before, after)
		}
	}
	written := filepath.Join(t.TempDir(), "written")
	archivetest.RestoreTo(t, a, plan, written)
	db, err := store.Open(written, nil)
	testkit.Must(t, err)
	testkit.Must(t, db.Put([]byte("k"), []byte("v")))
	testkit.Must(t, db.Close())
	l.Grow(v, 40)
	later := archivetest.PlanOf(t, a, l.UUID, history.Point{})
	refused("written to since", written, later)
	archivetest.ReadsTo(t, "and left alone", written, func() map[string]string {
		m := maps.Clone(l.Moments[59].Want)
		m["k"] = "v"
		return m
	}())

	ahead := filepath.Join(t.TempDir(), "ahead")
	archivetest.RestoreTo(t, a, later, ahead)
	refused("later than the point", ahead, plan)

	rolled := filepath.Join(t.TempDir(), "rolled")
	archivetest.RestoreTo(t, a, plan, rolled)
	db, err = store.Open(rolled, nil)
	testkit.Must(t, err)
	testkit.Must(t, db.Put([]byte("k"), []byte("v")))
	_, err = db.Seal()
	testkit.Must(t, err)
	testkit.Must(t, db.Put([]byte("k"), []byte("w")))
	testkit.Must(t, db.Close())
	refused("written to and rolled", rolled, later)

	other := archivetest.NewLife(t, 5)
	other.Commit()
	other.Close()
	refused("another store", other.Dir, later)

	held := filepath.Join(t.TempDir(), "held")
	archivetest.RestoreTo(t, a, plan, held)
	db, err = store.Open(held, nil)
	testkit.Must(t, err)
	defer db.Close()
	if _, err := restore.Run(t.Context(), a, held, restore.Options{Plan: later}); !errors.Is(err, vfs.ErrLocked) {
		t.Errorf("open for writing: %v", err)
	}
}

// TestALogThatIsAnotherIsRefused has two writers go on with the same log, as after a
// machine was cloned.
func TestALogThatIsAnotherIsRefused(t *testing.T) {
	f := archivetest.NewForger(t)
	f.Log(1, nil, "a=1")
	dest := t.TempDir()
	first := f.Ref(1)
	testkit.Must(t, os.WriteFile(filepath.Join(dest, first.ID.String()+".seg"), f.V.Objects[archivetest.ObjectOf(f.UUID, first)], 0o400))
	was := *f
	running, _ := f.Running(2, []segment.ID{1}, "b=other")
	*f = was
	f.Log(2, []segment.ID{1}, "b=2", "c=3")
	testkit.Must(t, os.WriteFile(filepath.Join(dest, f.Ref(2).ID.String()+".open"), running, 0o600))
	a := f.V.Archive(t)
	_, err := restore.Run(t.Context(), a, dest, restore.Options{Plan: archivetest.PlanOf(t, a, f.UUID, history.Point{})})
	if !errors.Is(err, restore.ErrDiverged) || !strings.Contains(err.Error(), f.Ref(2).String()) {
		t.Errorf("%v", err)
	}
	archivetest.ReadsTo(t, "left alone", dest, map[string]string{"a": "1", "b": "other"})
}

func TestDamageInACopyIsRepaired(t *testing.T) {
	l, v, a := archivetest.Grown(t, 6, 100)
	dest := filepath.Join(t.TempDir(), "copy")
	plan := archivetest.PlanOf(t, a, l.UUID, history.Point{})
	archivetest.RestoreTo(t, a, plan, dest)
	bad := filepath.Join(dest, plan.Segments[2].Ref.ID.String()+".seg")
	b, err := os.ReadFile(bad)
	testkit.Must(t, err)
	testkit.Must(t, os.Chmod(bad, 0o600))
	b[len(b)/2] ^= 1
	testkit.Must(t, os.WriteFile(bad, b, 0o400))
	v.Reset()
	rep := archivetest.RestoreTo(t, a, plan, dest)
	if rep.Fetched != plan.Segments[2].Size {
		t.Errorf("fetched %d bytes to repair a segment of %d", rep.Fetched, plan.Segments[2].Size)
	}
	archivetest.OpensTo(t, "seed 6", dest, l.Now)
}

// TestDamageInTheArchiveIsNamed also shows that nothing is put in place.
func TestDamageInTheArchiveIsNamed(t *testing.T) {
	l, v, a := archivetest.Grown(t, 7, 100)
	older := archivetest.PlanOf(t, a, l.UUID, history.Point{})
	copied := filepath.Join(t.TempDir(), "copy")
	archivetest.RestoreTo(t, a, older, copied)
	was := maps.Clone(l.Now)
	l.Grow(v, 60)
	plan := archivetest.PlanOf(t, a, l.UUID, history.Point{})
	bad := archivetest.ObjectOf(l.UUID, plan.Segments[len(plan.Segments)-2].Ref)
	flip := func() {
		b := []byte(string(v.Objects[bad]))
		b[len(b)/3] ^= 4
		v.Objects[bad] = b
	}
	flip()
	dest := filepath.Join(t.TempDir(), "dest")
	for _, to := range []string{dest, copied} {
		_, err := restore.Run(t.Context(), a, to, restore.Options{Plan: plan})
		if _, ok := errors.AsType[*segment.CorruptError](err); !ok || !strings.Contains(err.Error(), bad) {
			t.Fatalf("restore to %s: %v", to, err)
		}
	}
	if _, err := os.Stat(dest); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a %s: %v", dest, err)
	}
	archivetest.ReadsTo(t, "the copy", copied, was)
	flip() // back
	v.Reset()
	rep := archivetest.RestoreTo(t, a, plan, dest)
	if rep.Fetched >= rep.Bytes/2 {
		t.Errorf("%d of %d bytes were fetched again", rep.Fetched, rep.Bytes)
	}
	archivetest.OpensTo(t, "after all", dest, l.Now)
}

// TestACopyThatLostWhatItHeldIsRefused: a copy was written to and closed, and its newest log was
// damaged since. What is left of that log is the copy before it was written to; the close
// told, in the lock file, how much there was.
func TestACopyThatLostWhatItHeldIsRefused(t *testing.T) {
	l, v, a := archivetest.Grown(t, 8, 60)
	first := archivetest.PlanOf(t, a, l.UUID, history.Point{})
	l.Grow(v, 20)
	later := archivetest.PlanOf(t, a, l.UUID, history.Point{})
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
			archivetest.RestoreTo(t, a, first, dest)
			db, err := store.Open(dest, nil)
			testkit.Must(t, err)
			testkit.Must(t, db.Put([]byte("own"), []byte("1")))
			if c.seal {
				_, err = db.Seal()
				testkit.Must(t, err)
				testkit.Must(t, db.Put([]byte("own"), []byte("2")))
			}
			testkit.Must(t, db.Close())
			s, err := integrity.Survey(vfs.Dir(dest))
			testkit.Must(t, err)
			testkit.Must(t, c.injure(filepath.Join(dest, s.NewestLog().Name)))
			before := archivetest.Names(t, dest)
			_, err = restore.Run(t.Context(), a, dest, restore.Options{Plan: later})
			if !c.want(err) || !strings.Contains(err.Error(), dest) {
				t.Errorf("%v", err)
			}
			if after := archivetest.Names(t, dest); after != before {
				t.Errorf("%s became %s", before, after)
			}
		})
	}
}
