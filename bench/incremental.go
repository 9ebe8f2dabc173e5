package main

import (
	"errors"
	"os"
	"path/filepath"
)

// added is how many bytes of objects an incremental backup is for: as many as fit
// into one segment of the default size with what surrounds them.
const added = 63 << 20

// actIncremental adds the same to a small and to a large store, both in archives
// already, and makes a backup of each: the segments that are new, and the manifest.
func actIncremental(gb float64) func(*stage) error {
	return func(s *stage) error {
		all := figures{}
		var costs [2]figures
		for i, x := range []struct {
			name string
			gb   float64
		}{{"small", gb / 8}, {"large", gb}} {
			b, err := s.store(x.gb, 0)
			if err != nil {
				return err
			}
			f, err := s.increment(x.name, b)
			if err != nil {
				return err
			}
			costs[i] = f
			for _, name := range []string{"seconds", "read", "written", "bytes", "segments"} {
				all[name+", "+x.name] = f[name]
			}
			all["GB, "+x.name], all["GB"] = b.gigabytes(), b.gigabytes()
		}
		for _, name := range []string{"seconds", "read", "written"} {
			all[name+", apart"] = apart(costs[0][name], costs[1][name])
		}
		s.record("varve", all)
		return nil
	}
}

// increment adds objects to a copy of a store that was shipped, and returns what the
// next backup costs.
func (s *stage) increment(name string, b *bigStore) (figures, error) {
	dir := filepath.Join(s.dir, name)
	t := task{Work: "ship", Dir: dir, Other: dir + "-archive", State: dir + "-receipts", Synced: true}
	if s.round == 0 {
		err := errors.Join(os.Mkdir(dir, 0o700), os.Mkdir(t.Other, 0o700), os.Mkdir(t.State, 0o700))
		if err == nil {
			err = b.writable(dir)
		}
		if err == nil {
			err = s.grow(dir, b.objects, 1, 0, true)
		}
		if err != nil {
			return nil, err
		}
		if _, err := s.child(t); err != nil {
			return nil, err
		}
	}
	const n = added / (bigValue + keyLen + 32)
	if err := s.grow(dir, b.objects+1+s.round*n, n, 0, true); err != nil {
		return nil, err
	}
	return s.child(t)
}
