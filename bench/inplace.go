package main

import (
	"context"
	"fmt"

	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/inplace"
)

// actInPlace reads single objects from an archive on an S3 server on this machine,
// each with a process of its own and with the archive out of the page cache.
func actInPlace(gb float64) func(*stage) error {
	return func(s *stage) error {
		v, err := s.needS3()
		if err != nil {
			return err
		}
		b, err := s.store(gb, 0)
		if err != nil {
			return err
		}
		if s.round == 0 {
			state, err := s.folder("receipts")
			if err != nil {
				return err
			}
			if _, err := s.child(task{Work: "ship", Dir: b.dir, Other: v.URL("archive"), State: state, Env: s3Env(v)}); err != nil {
				return err
			}
		}
		all, err := files(bucketOf(v))
		if err != nil {
			return err
		}
		size, err := sizesOf(bucketOf(v), ".seg")
		if err != nil {
			return err
		}
		f := figures{"GB": float64(size) / 1e9}
		// What was written first is found last.
		for _, x := range []struct {
			name string
			part float64
		}{{"oldest", 0}, {"middle", 0.5}, {"newest", 0.9}} {
			if _, err := s.evicted(all); err != nil {
				return err
			}
			one, err := s.child(task{Work: "one", Other: v.URL("archive"), Keys: random, N: b.objects, Value: bigValue, More: int(x.part * float64(b.objects)), Env: s3Env(v)})
			if err != nil {
				return err
			}
			f["seconds, "+x.name] = one["seconds"]
			f["with the process, "+x.name] = one["with the process"]
			f["requests, "+x.name] = one["requests"]
			f["share, "+x.name] = one["received"] / float64(size)
			f["seconds"] = max(f["seconds"], f["with the process, "+x.name])
			f["share"] = max(f["share"], f["share, "+x.name])
		}
		s.record("varve", f)
		return nil
	}
}

// runOne reads the object with the number More from the archive.
func runOne(t *task) (figures, error) {
	ctx := context.Background()
	u := watchUsage()
	var c traffic
	a, store, err := t.openArchive(ctx, &c)
	if err != nil {
		return nil, err
	}
	plan, err := history.At(ctx, a, store, history.Point{})
	if err != nil {
		return nil, err
	}
	g := newGen(t.Keys, t.N, t.Value)
	rec, err := inplace.NewReader(ctx, a, plan, nil).Get(g.key(make([]byte, keyLen), t.More))
	if err != nil {
		return nil, err
	}
	f := figures{}
	u.into(f)
	c.into(f, "")
	if string(rec.Value) != string(g.value(t.More)) {
		return nil, fmt.Errorf("object %d: another value", t.More)
	}
	return f, nil
}
