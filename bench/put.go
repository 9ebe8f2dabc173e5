package main

import "time"

// runPut puts objects one by one with one writer; nothing waits for the disk. It
// measures the loop of puts, and the time until all of it is on the disk.
func runPut(t *task) (figures, error) {
	g := newGen(t.Keys, t.N, t.Value)
	e, err := t.open("", config{})
	if err != nil {
		return nil, err
	}
	var key [keyLen]byte
	start := time.Now()
	done := 0
	for ; done < t.N; done++ {
		if done%1024 == 0 && time.Since(start) > t.Limit {
			break
		}
		if err := e.Put(g.key(key[:], done), g.value(done)); err != nil {
			return nil, err
		}
	}
	loop := time.Since(start)
	if err := e.Sync(); err != nil {
		return nil, err
	}
	all := time.Since(start)
	f := figures{
		"rate":    perSecond(done, loop),
		"written": perSecond(done, all),
		"puts":    float64(done),
	}
	f.addResident()
	return f, e.Close()
}

// perSecond returns a rate.
func perSecond(n int, d time.Duration) float64 { return float64(n) / d.Seconds() }
