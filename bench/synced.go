package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// runSynced puts objects with some writers, each of which waits for the disk with
// each put, for as long as the limit says.
func runSynced(t *task) (figures, error) {
	g := newGen(t.Keys, t.N, t.Value)
	e, err := t.open("", config{Synced: true, Writers: t.Writers})
	if err != nil {
		return nil, err
	}
	var next, failed atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for range t.Writers {
		wg.Go(func() {
			var key [keyLen]byte
			for time.Since(start) < t.Limit {
				i := int(next.Add(1) - 1)
				if e.Put(g.key(key[:], i), g.value(i)) != nil {
					failed.Add(1)
					return
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	if failed.Load() > 0 {
		return nil, errors.New("a put failed")
	}
	return figures{"rate": perSecond(int(next.Load()), took)}, e.Close()
}

const (
	// recordExtra is what varve's log takes for an object beyond its key and
	// value, a durable mark included.
	recordExtra = 28 + 4

	// slice is how many puts of either kind follow each other in runBare.
	slice = 100

	// pause lets a store write its idle mark outside the time taken.
	pause = 70 * time.Millisecond
)

// runBare puts objects with one writer that waits for the disk, and in turn
// appends as many bytes to a bare file and syncs it: slice by slice, so that both
// meet the same disk. "of bare" is the median of the ratios of slices that
// follow each other.
func runBare(t *task) (figures, error) {
	g := newGen(t.Keys, t.N, t.Value)
	e, err := t.open("s", config{Synced: true})
	if err != nil {
		return nil, err
	}
	file, err := os.Create(filepath.Join(t.Dir, "bare"))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	rec := make([]byte, keyLen+t.Value+recordExtra)
	var key [keyLen]byte
	puts := func(i int) error { return e.Put(g.key(key[:], i), g.value(i)) }
	bare := func(i int) error {
		copy(rec, g.value(i))
		if _, err := file.Write(rec); err != nil {
			return err
		}
		return datasync(file)
	}
	f, err := inSlices(t.Limit, puts, bare)
	return f, errors.Join(err, e.Close())
}

// inSlices runs two loops in turn until the first has taken as long as the limit.
func inSlices(limit time.Duration, puts, bare func(int) error) (figures, error) {
	var took [2]time.Duration
	var ratios []float64
	var err error
	n := 0
	for round := 0; took[0] < limit; round++ {
		var d [2]time.Duration
		for turn := range 2 {
			which := (turn + round) % 2 // who begins changes
			loop := puts
			if which == 1 {
				loop = bare
			}
			start := time.Now()
			for i := range slice {
				err = errors.Join(err, loop(n+i))
			}
			d[which] = time.Since(start)
			time.Sleep(pause)
		}
		if err != nil {
			return nil, err
		}
		n += slice
		took[0] += d[0]
		took[1] += d[1]
		ratios = append(ratios, d[1].Seconds()/d[0].Seconds())
	}
	slices.Sort(ratios)
	return figures{
		"rate":    perSecond(n, took[0]),
		"bare":    perSecond(n, took[1]),
		"of bare": ratios[len(ratios)/2],
	}, nil
}
