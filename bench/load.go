package main

import "time"

// batchSize is how many objects go into a batch.
const batchSize = 1000

// runLoad puts objects in batches. Synced, each batch is on the disk before the
// next; else it is measured like runPut.
func runLoad(t *task) (figures, error) {
	e, err := t.open("", config{Synced: t.Synced, Batches: true})
	if err != nil {
		return nil, err
	}
	start := time.Now()
	done, err := fill(e, newGen(t.Keys, t.N, t.Value), 0, t.N, t.Limit)
	if err != nil {
		return nil, err
	}
	loop := time.Since(start)
	if err := e.Sync(); err != nil {
		return nil, err
	}
	all := time.Since(start)
	f := figures{"rate": perSecond(done, loop), "written": perSecond(done, all), "puts": float64(done)}
	return f, e.Close()
}

// fill puts the objects from number at on in batches, until number end or the
// limit of time, and returns how many.
func fill(e engine, g *gen, at, end int, limit time.Duration) (int, error) {
	pairs := make([]pair, 0, batchSize)
	keys := make([]byte, batchSize*keyLen)
	begin, start := at, time.Now()
	for at < end && time.Since(start) < limit {
		pairs = pairs[:0]
		for ; at < end && len(pairs) < batchSize; at++ {
			k := keys[len(pairs)*keyLen:][:keyLen]
			pairs = append(pairs, pair{g.key(k, at), g.value(at)})
		}
		if err := e.Apply(pairs); err != nil {
			return 0, err
		}
	}
	return at - begin, nil
}

// runFill makes a fixture: a store filled in batches, brought to rest, closed.
func runFill(t *task) (figures, error) {
	e, err := t.open("", config{Batches: true})
	if err != nil {
		return nil, err
	}
	if _, err := fill(e, newGen(t.Keys, t.N, t.Value), 0, t.N, time.Hour); err != nil {
		return nil, err
	}
	if err := e.Sync(); err != nil {
		return nil, err
	}
	if s, ok := e.(interface{ settle() error }); ok {
		if err := s.settle(); err != nil {
			return nil, err
		}
	}
	return figures{}, e.Close()
}
