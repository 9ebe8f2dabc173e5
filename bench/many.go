package main

import (
	"fmt"
	"path/filepath"

	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/store"
)

// fullMany is how many segments the store of actMany has: a month of one a minute, and more.
const fullMany = 50_000

// manySteps are what is done with such a store, each by a process of its own, in
// this order: the first comes upon what a killed writer left.
var manySteps = []struct {
	name, work string
	synced     bool
}{
	{name: "open after a kill", work: "many: open"},
	{name: "open", work: "many: open"},
	{name: "put", work: "many: put"},
	{name: "stat", work: "many: stat"},
	{name: "first backup create", work: "ship", synced: true},
	{name: "backup create", work: "ship", synced: true},
	{name: "archive status", work: "many: status"},
}

// actMany opens, puts to, and looks at a store of many segments of one small object, and
// makes backups of it, with nothing new.
func actMany(gb float64) func(*stage) error {
	n := max(int(fullMany*min(gb/fullGB, 1)), 200)
	return func(s *stage) error {
		t := task{Dir: filepath.Join(s.dir, "store"), State: filepath.Join(s.dir, "receipts"), Other: filepath.Join(s.dir, "archive")}
		if s.round == 0 {
			y := &synthetic{archive: t.Other, store: t.Dir}
			if err := s.synthesize(y, t, n, 1); err != nil {
				return err
			}
			if err := y.newest(n); err != nil {
				return err
			}
		}
		all := figures{"segments": float64(n)}
		for _, step := range manySteps {
			if step.name == "open after a kill" && s.round > 0 {
				continue
			}
			t.Work, t.Synced = step.work, step.synced
			f, err := s.child(t)
			if err != nil {
				return fmt.Errorf("%s: %w", step.name, err)
			}
			all[step.name] = f["with the process"]
			all[step.name+", memory"] = f["peak, own"] - f["index"]
			all[step.name+", with pages of files"] = f["peak"]
		}
		s.record("varve", all)
		return nil
	}
}

// runMany does one thing with a store, and measures it.
func runMany(do func(t *task) (index int64, err error)) func(t *task) (figures, error) {
	return func(t *task) (figures, error) {
		f, u := figures{}, watchUsage()
		index, err := do(t)
		u.into(f)
		f["index"] = float64(index)
		return f, err
	}
}

func manyOpen(t *task) (int64, error) {
	db, err := store.Open(t.Dir, &store.Options{MustExist: true})
	if err != nil {
		return 0, err
	}
	return db.Stats().IndexBytes, db.Close()
}

func manyPut(t *task) (int64, error) {
	db, err := store.Open(t.Dir, &store.Options{MustExist: true})
	if err != nil {
		return 0, err
	}
	if err := db.Put([]byte("one more"), []byte("value")); err != nil {
		return 0, err
	}
	return db.Stats().IndexBytes, db.Close()
}

func manyStat(t *task) (int64, error) {
	r, err := store.OpenReadOnly(t.Dir, nil)
	if err != nil {
		return 0, err
	}
	return r.Stats().IndexBytes, r.Close()
}

func manyStatus(t *task) (int64, error) {
	s, err := archiver.ReadStatus(vfs.AsFS(vfs.Dir(t.Dir)), t.State)
	if err == nil && (len(s.Targets) != 1 || s.Targets[0].Segments != 0) {
		err = fmt.Errorf("not all is in the archive: %+v", s.Targets)
	}
	return 0, err
}

// manyTargets are those of actMany.
func manyTargets() []goal {
	var all []goal
	for _, op := range []string{"open after a kill", "open", "put", "stat", "archive status", "backup create"} {
		all = append(all,
			goal{title: op + ", 50,000 segments of one small object", name: "many segments", metric: op, unit: seconds, most: 4, scale: "segments", full: fullMany},
			goal{title: "… memory beyond the index", name: "many segments", metric: op + ", memory", unit: size, most: 128 << 20, scale: "segments", full: fullMany})
	}
	return all
}
