package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"time"

	"github.com/varve-db/varve/store"
)

// daemonRate is what the archiver may send while writers are watched, in bytes a second.
const daemonRate = 50e6

// actBeside puts objects into a store for a while, without and with an archiver at work on
// it. There is a backlog, so that the archiver sends at its rate all the time.
func actBeside(gb float64, synced bool, limit time.Duration) func(*stage) error {
	return func(s *stage) error {
		alone, _, err := s.write(gb, synced, limit, false)
		if err != nil {
			return err
		}
		f, daemon, err := s.write(gb, synced, limit, true)
		if err != nil {
			return err
		}
		for name, v := range alone {
			f[name+", alone"] = v
		}
		for _, name := range []string{"rate", "p99.9", "max"} {
			f[name+" of alone"] = f[name] / alone[name]
		}
		f["sent"], f["cores of the archiver"] = daemon["bytes"]/daemon["seconds"], daemon["cores"]
		if f["sent"] < 0.8*daemonRate {
			s.note("the archiver had nothing left to send for some of the time; a larger -gb gives it more")
		}
		f["GB"] = gb
		s.record("varve", f)
		return nil
	}
}

// write measures a writer, and the archiver beside it.
func (s *stage) write(gb float64, synced bool, limit time.Duration, archived bool) (writer, daemon figures, err error) {
	dir, err := s.folder("written")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(dir)
	n := int(min(gb/4, 1) * 1e9 / bigRecord)
	if err := s.grow(dir, 0, n, 0, true); err != nil {
		return nil, nil, err
	}
	end := func() (figures, error) { return nil, nil }
	if archived {
		if end, err = s.daemon(dir); err != nil {
			return nil, nil, err
		}
	}
	writer, err = s.child(task{Work: "write", Dir: dir, Keys: random, N: n, Value: bigValue, Synced: synced, Limit: limit})
	daemon, derr := end()
	if err == nil {
		err = derr
	}
	return writer, daemon, err
}

// daemon starts an archiver on a store and waits until it has sent something. end ends
// it.
func (s *stage) daemon(dir string) (end func() (figures, error), err error) {
	t := task{Work: "archive", Store: "varve", Dir: dir, Rate: daemonRate}
	if t.Other, err = s.folder("archive"); err != nil {
		return nil, err
	}
	if t.State, err = s.folder("receipts"); err != nil {
		return nil, err
	}
	end, err = background(s.ctx, &t)
	if err != nil {
		return nil, err
	}
	for range 1000 {
		if all, _ := files(t.Other, ".seg"); len(all) > 0 || s.ctx.Err() != nil {
			return end, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	_, err = end()
	return nil, fmt.Errorf("the archiver shipped nothing in 10 s: %v", err)
}

// runArchive runs an archiver until the end of standard input.
func runArchive(t *task) (figures, error) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	a, _, err := t.archiver(ctx, nil)
	if err != nil {
		return nil, err
	}
	u := watchUsage()
	go func() {
		io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	if err := a.Run(ctx); err != nil {
		return nil, err
	}
	f := figures{"bytes": float64(a.Status().Targets[0].Counts.Bytes)}
	u.into(f)
	return f, nil
}

// runWrite puts objects as fast as it can, one after the other, into a store that
// holds some.
func runWrite(t *task) (figures, error) {
	g := newGen(t.Keys, t.N, t.Value)
	o := &store.Options{Durability: store.SyncEvery(time.Second)}
	if t.Synced {
		o = nil
	}
	db, err := store.Open(t.Dir, o)
	if err != nil {
		return nil, err
	}
	took := make([]uint32, 0, 1<<23) // ns
	var key [keyLen]byte
	start := time.Now()
	for i := t.N; time.Since(start) < t.Limit; i++ {
		k, v := g.key(key[:], i), g.value(i)
		before := time.Now()
		if err := db.Put(k, v); err != nil {
			return nil, err
		}
		took = append(took, uint32(min(time.Since(before), math.MaxUint32)))
	}
	f := figures{"rate": perSecond(len(took), time.Since(start)), "puts": float64(len(took))}
	slices.Sort(took)
	for name, part := range map[string]float64{"p50": .5, "p99": .99, "p99.9": .999, "max": 1} {
		f[name] = float64(took[int(part*float64(len(took)-1))]) / 1e9
	}
	return f, db.Close()
}
