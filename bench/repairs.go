package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/varve-db/varve/integrity/repair"
	"github.com/varve-db/varve/internal/vfs"
)

// growth is the parts of a store's full size at which growth is measured.
var growth = []struct {
	name string
	part float64
}{{"small", 0.25}, {"middle", 0.5}, {"large", 1}}

// actLinear has work done on stores of a quarter, half and all of a size. For each of its
// figures in seconds it records how it grows: the time for a byte of the largest store, divided
// by the time for a byte of the smallest.
func actLinear(gb float64, work func(*stage, *bigStore) (figures, error)) func(*stage) error {
	return func(s *stage) error {
		all := figures{}
		perByte := map[string][]float64{}
		for _, g := range growth {
			b, err := s.store(gb*g.part, 0)
			if err != nil {
				return err
			}
			f, err := work(s, b)
			if err != nil {
				return err
			}
			for name, v := range f {
				all[name+", "+g.name] = v
				perByte[name] = append(perByte[name], v/float64(b.bytes))
			}
			all["GB"] = b.gigabytes()
		}
		for name, v := range perByte {
			all[name+", growth"] = v[len(v)-1] / v[0]
		}
		s.record("varve", all)
		return nil
	}
}

// openAndCheck opens a store and checks it in full, from the page cache.
func openAndCheck(s *stage, b *bigStore) (figures, error) {
	if _, err := s.child(task{Work: "check", Dir: b.dir}); err != nil { // into the page cache
		return nil, err
	}
	f, err := s.several(3, task{Work: "level", Dir: b.dir, Keys: random, N: b.objects, Value: bigValue}, task{Work: "check", Dir: b.dir})
	if err != nil {
		return nil, err
	}
	return figures{"open": f[0]["seconds"], "check": f[1]["seconds"]}, nil
}

// repairTable damages a segment's footer and has its table rebuilt from its
// records; repairCopy damages a value and has the segment healed from a copy.
func repairTable(s *stage, b *bigStore) (figures, error) { return s.repair(b, false) }
func repairCopy(s *stage, b *bigStore) (figures, error)  { return s.repair(b, true) }

func (s *stage) repair(b *bigStore, fromCopy bool) (figures, error) {
	dir, err := s.folder("damaged")
	if err != nil {
		return nil, err
	}
	// No file is changed in place, so links will do for a copy.
	if err := linkAll(b.dir, dir, ".seg", ".open"); err != nil {
		return nil, err
	}
	all, err := files(dir, ".seg")
	if err != nil {
		return nil, err
	}
	name, t, what := all[len(all)/2], task{Work: "repair", Dir: dir}, "table"
	at := func(size int64) int64 { return size - 4096 }
	if fromCopy {
		t.Other, what = b.dir, "heal"
		at = func(size int64) int64 { return size / 2 }
	}
	sound, err := flip(name, at)
	if err != nil {
		return nil, err
	}
	f, err := s.child(t)
	if err != nil {
		return nil, err
	}
	if healed, err := os.ReadFile(name); err != nil || !bytes.Equal(healed, sound) {
		return nil, fmt.Errorf("%s: not healed byte for byte: %v", name, err)
	}
	return figures{what: f["seconds"]}, os.RemoveAll(dir)
}

// flip puts a file with one changed byte in the place of another, whose bytes it
// returns.
func flip(name string, at func(size int64) int64) ([]byte, error) {
	sound, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	bad := bytes.Clone(sound)
	bad[at(int64(len(bad)))] ^= 0x10
	tmp := filepath.Join(filepath.Dir(name), "damaged.tmp")
	return sound, errors.Join(os.WriteFile(tmp, bad, 0o400), os.Rename(tmp, name))
}

// runRepair repairs the store, from the copy in the folder Other if there is one.
func runRepair(t *task) (figures, error) {
	u := watchUsage()
	var o repair.Options
	if t.Other != "" {
		o.From = repair.FolderDonor(os.DirFS(t.Other), t.Other)
	}
	plan, err := repair.Run(context.Background(), vfs.Dir(t.Dir), o)
	if err != nil {
		return nil, err
	}
	f := figures{"steps": float64(len(plan.Steps))}
	u.into(f)
	if len(plan.Steps) != 1 || !plan.Steps[0].Done || len(plan.Left) > 0 {
		return nil, fmt.Errorf("repair did %+v, and left %+v", plan.Steps, plan.Left)
	}
	return f, nil
}
