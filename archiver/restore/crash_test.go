package restore_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/internal/archivetest"
	"github.com/varve-db/varve/archiver/restore"
	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/internal/testkit"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/store"
)

// stateOf reads all of the store in a folder in memory.
func stateOf(fsys vfs.FS) (map[string]string, error) {
	r, err := store.OpenReadOnlyFS(vfs.AsFS(fsys), nil)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	got := map[string]string{}
	for o, err := range r.Scan(store.Range{}) {
		if err != nil {
			return nil, err
		}
		got[string(o.Key)] = string(o.Value)
	}
	return got, nil
}

// onDisk opens the store in a folder in memory for writing, on the disk, and
// returns what it holds.
func onDisk(t *testing.T, fsys *crashfs.FS) (map[string]string, error) {
	dir := filepath.Join(t.TempDir(), "d")
	testkit.Must(t, os.Mkdir(dir, 0o700))
	for _, name := range fsys.Names() {
		testkit.Must(t, os.WriteFile(filepath.Join(dir, name), fsys.Bytes(name), 0o600))
	}
	db, err := store.Open(dir, &store.Options{MustExist: true})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return archivetest.Contents(t, db), nil
}

// putThere opens what a restore that was cut off left in a folder, as a program does that
// makes its store where there is none: that is either the whole store or, where there is
// anything of a store, an error that says that a restore did not finish, and changes nothing.
func putThere(t *testing.T, disk *crashfs.FS, folder string, want map[string]string) error {
	dir := filepath.Join(t.TempDir(), "d")
	testkit.Must(t, os.Mkdir(dir, 0o700))
	of := false // there is anything of a store
	for _, name := range disk.Names() {
		if in, base := filepath.Split(name); filepath.Clean(in) == folder {
			of = of || filepath.Ext(base) != ""
			testkit.Must(t, os.WriteFile(filepath.Join(dir, base), disk.Bytes(name), 0o600))
		}
	}
	if !of {
		return nil
	}
	db, err := store.Open(dir, nil)
	if unfinished, ok := errors.AsType[*store.UnfinishedError](err); ok && unfinished.Dir == dir {
		if _, err := store.OpenReadOnly(dir, nil); !errors.As(err, &unfinished) {
			return fmt.Errorf("opened read-only: %w", err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("it does not say that a restore did not finish: %w", err)
	}
	defer db.Close()
	if _, err := os.Stat(filepath.Join(dir, integrity.RestoringName)); err == nil {
		return errors.New("the mark of the restore is left")
	}
	if !maps.Equal(archivetest.Contents(t, db), want) {
		return errors.New("it opens as something else than what is restored")
	}
	return nil
}

// crashStates is how many states each operation of a restore is cut off with.
func crashStates() int {
	if n, err := strconv.Atoi(os.Getenv("VARVE_CRASH_STATES")); err == nil {
		return max(1, n/1000)
	}
	return 4
}

// cutEverywhere calls check for states after every operation of a recording.
func cutEverywhere(t *testing.T, rec *crashfs.Recording, seed uint64, check func(n int, fsys *crashfs.FS) error) (states int) {
	t.Helper()
	for n := rec.First(); n <= rec.Ops(); n++ {
		at := rec.At(n)
		for i := range crashStates() {
			kind := crashfs.Kinds[(n*7+i*13)%len(crashfs.Kinds)]
			if i == 0 {
				kind = crashfs.Kind{Data: crashfs.DataAll, Names: crashfs.NamesAll}
			}
			s := crashfs.State{Kind: kind, Seed: seed + uint64(n*100+i)}
			states++
			if err := check(n, at.Crash(s.Seed, s.Kind)); err != nil {
				t.Fatalf("seed %d: cut after operation %d (%v), %v: %v", seed, n, rec.Op(n), s, err)
			}
		}
	}
	return states
}

// TestPowerCutWhileFreshening cuts the freshening of a standby off after every
// operation: it opens as what it was or as what it is to be, and freshening it
// again completes the work.
func TestPowerCutWhileFreshening(t *testing.T) {
	t.Parallel()
	for seed := uint64(1); seed <= 3; seed++ {
		l, v, a := archivetest.Grown(t, 20+seed, 30)
		old := l.Moments[len(l.Moments)-1]
		if seed > 1 { // from within a log
			old = l.Moments[len(l.Moments)-9]
		}
		was := old.Want
		fsys := crashfs.New()
		_, err := restore.BuildIn(t.Context(), a, fsys, restore.Options{Plan: archivetest.PlanOf(t, a, l.UUID, history.Point{Seq: old.Seq}), Parallel: 1})
		testkit.Must(t, err)
		for range 20 {
			l.Commit()
		}
		l.Seal()
		v.Ship(t, l.Dir)
		now, p := maps.Clone(l.Now), history.Point{}
		if seed == 3 { // to within a log
			m := l.Moments[len(l.Moments)-5]
			now, p.Seq = m.Want, m.Seq
		}
		o := restore.Options{Plan: archivetest.PlanOf(t, a, l.UUID, p), Parallel: 1}
		rec := fsys.Record()
		_, err = restore.FreshenIn(t.Context(), a, fsys, o)
		testkit.Must(t, err)
		changed := false
		states := cutEverywhere(t, rec, seed, func(n int, crashed *crashfs.FS) error {
			got, err := stateOf(crashed)
			if err != nil {
				return fmt.Errorf("open: %w", err)
			}
			isNow := maps.Equal(got, now)
			if changed = changed || isNow; !isNow && !maps.Equal(got, was) {
				return errors.New("it is neither what it was nor what it is to be")
			}
			if n%5 == 0 {
				if wrote, err := onDisk(t, crashed); err != nil || !maps.Equal(wrote, got) {
					return fmt.Errorf("opened for writing, it is another: %v", err)
				}
			}
			if _, err := restore.FreshenIn(t.Context(), a, crashed, o); err != nil {
				return fmt.Errorf("again: %w", err)
			}
			return isNowThere(crashed, now)
		})
		t.Logf("seed %d: %d states of %d operations", seed, states, rec.Ops()-rec.First())
		if !changed {
			t.Errorf("seed %d: no state was the new one", seed)
		}
	}
}

// isNowThere checks that a folder holds a state, in one log and nothing beside.
func isNowThere(fsys vfs.FS, want map[string]string) error {
	got, err := stateOf(fsys)
	if err != nil {
		return fmt.Errorf("after that: %w", err)
	}
	if !maps.Equal(got, want) {
		return errors.New("after that it is another")
	}
	list, err := fsys.ReadDir(".")
	if err != nil {
		return err
	}
	logs := 0
	for _, e := range list {
		switch filepath.Ext(e.Name()) {
		case ".open":
			logs++
		case ".tmp":
			return fmt.Errorf("%s is left", e.Name())
		}
	}
	if logs != 1 {
		return fmt.Errorf("%d logs are left", logs)
	}
	return nil
}

// TestPowerCutWhileRestoring cuts a restore off after every operation, into a folder
// that is absent and into one that is there, whose name nobody synced: what is there is the
// whole store or none, and restoring again completes the work. What a restore that
// ended has done is durable.
func TestPowerCutWhileRestoring(t *testing.T) {
	t.Parallel()
	l, _, a := archivetest.Grown(t, 30, 60)
	m := l.Moments[len(l.Moments)-7]
	o := restore.Options{Plan: archivetest.PlanOf(t, a, l.UUID, history.Point{Time: m.At}), Parallel: 1}
	whole := restore.Options{Plan: archivetest.PlanOf(t, a, l.UUID, history.Point{}), Parallel: 1} // without a log that is cut
	res := func(disk *crashfs.FS, name string, o restore.Options) error {
		dest := vfs.Sub(disk, name)
		var err error
		if _, serr := dest.Stat("."); serr == nil {
			_, err = restore.RestoreInto(t.Context(), a, dest, o)
		} else {
			_, err = restore.RestoreBeside(t.Context(), a, disk, name, o)
		}
		return err
	}
	for name, s := range map[string]struct {
		made bool
		o    restore.Options
		want map[string]string
	}{
		"absent": {false, o, m.Want}, "absent, the newest": {false, whole, l.Now},
		"empty": {true, o, m.Want}, "empty, the newest": {true, whole, l.Now},
	} {
		disk := crashfs.New()
		if s.made {
			testkit.Must(t, disk.Mkdir("d"))
		}
		rec := disk.Record()
		testkit.Must(t, res(disk, "d", s.o))
		seen, puts := map[bool]int{}, 0
		states := cutEverywhere(t, rec, 30, func(n int, crashed *crashfs.FS) error {
			got, err := stateOf(vfs.Sub(crashed, "d"))
			if seen[err == nil]++; err == nil && !maps.Equal(got, s.want) {
				return errors.New("it opens as something else than what is restored")
			}
			if _, serr := crashed.Stat("d"); err != nil && serr == nil && !s.made {
				return fmt.Errorf("it has its name, and is not whole: %w", err)
			}
			if puts++; puts%7 == 0 { // which takes syncs of a disk
				for _, dir := range []string{"d", "d.restoring"} {
					if err := putThere(t, crashed, dir, s.want); err != nil {
						return fmt.Errorf("put into %s: %w", dir, err)
					}
				}
			}
			if err := res(crashed, "d", s.o); err != nil {
				return fmt.Errorf("again: %w", err)
			}
			return isNowThere(vfs.Sub(crashed, "d"), s.want)
		})
		t.Logf("%s: %d states of %d operations, of which %d were the store", name, states, rec.Ops(), seen[true])
		for state, crashed := range rec.At(rec.Ops()).States(31) {
			if err := isNowThere(vfs.Sub(crashed, "d"), s.want); err != nil {
				t.Errorf("%s: after the end, %v: %v", name, state, err)
			}
		}
	}
}

// TestEachCallOfAFresheningFails fails each call once: the copy opens, and the next
// attempt completes the work.
func TestEachCallOfAFresheningFails(t *testing.T) {
	l, v, a := archivetest.Grown(t, 40, 30)
	was := maps.Clone(l.Now)
	before := crashfs.New()
	_, err := restore.BuildIn(t.Context(), a, before, restore.Options{Plan: archivetest.PlanOf(t, a, l.UUID, history.Point{}), Parallel: 1})
	testkit.Must(t, err)
	l.Grow(v, 12)
	o := restore.Options{Plan: archivetest.PlanOf(t, a, l.UUID, history.Point{}), Parallel: 1}
	failed := &fs.PathError{Op: "x", Path: "y", Err: fs.ErrClosed}
	for n := 1; ; n++ {
		fsys := before.Clone()
		fsys.Fail(func(op crashfs.Op) error {
			if op.N == n && op.Kind.Mutates() {
				return failed
			}
			return nil
		})
		start := fsys.Ops()
		_, err := restore.FreshenIn(t.Context(), a, fsys, o)
		if err == nil && fsys.Ops()-start < n-start {
			return
		}
		fsys.Fail(nil)
		got, openErr := stateOf(fsys)
		if openErr != nil || !maps.Equal(got, was) && !maps.Equal(got, l.Now) {
			t.Fatalf("seed 40: operation %d failed (%v): it does not open as what it was or is to be: %v", n, err, openErr)
		}
		if _, err := restore.FreshenIn(t.Context(), a, fsys, o); err != nil {
			t.Fatalf("seed 40: operation %d failed; again: %v", n, err)
		}
		testkit.Must(t, isNowThere(fsys, l.Now))
	}
}
