package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"syscall"
	"time"
)

// runOpen opens a fixture and measures the time, the heap while it opens, and
// what is left of it afterwards. The page cache is warm.
func runOpen(t *task) (figures, error) {
	g := newGen(t.Keys, t.N, t.Value)
	base := liveHeap()
	stop := watchHeap()
	start := time.Now()
	e, err := t.open("", config{})
	took := time.Since(start)
	peak := stop()
	if err != nil {
		return nil, err
	}
	var key [keyLen]byte
	for i := 0; i < t.N; i += 1 + t.N/100 { // it is open indeed
		if v, err := e.Get(g.key(key[:], i)); err != nil || string(v) != string(g.value(i)) {
			return nil, fmt.Errorf("after opening: key %q: wrong value, or %v", key, err)
		}
	}
	heap := liveHeap() - base
	runtime.KeepAlive(g) // it is in base
	f := figures{
		"seconds":       took.Seconds(),
		"heap":          heap,
		"heap per key":  heap/float64(t.N+t.More) - keyLen,
		"peak heap":     peak - base,
		"peak of after": (peak - base) / max(heap, 1),
	}
	if p, ok := e.(interface{ phases() figures }); ok {
		for name, v := range p.phases() {
			f[name] = v
		}
	}
	f.addResident()
	return f, e.Close()
}

// liveHeap collects garbage and returns the bytes of heap in use.
func liveHeap() float64 {
	runtime.GC()
	runtime.GC() // what finalizers and pools held on to
	return heapObjects()
}

// heapObjects returns the bytes of heap that objects take, dead ones that were
// not swept yet included.
func heapObjects() float64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return float64(s[0].Value.Uint64())
}

// watchHeap looks at the heap every millisecond until stop is called, which
// returns the most that was seen.
func watchHeap() (stop func() float64) {
	quit, most := make(chan struct{}), make(chan float64)
	go func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		peak := 0.0
		for {
			peak = max(peak, heapObjects())
			select {
			case <-tick.C:
			case <-quit:
				most <- max(peak, heapObjects())
				return
			}
		}
	}()
	return func() float64 {
		close(quit)
		return <-most
	}
}

// extra is how many more objects a dying process puts: less than what a log of
// 64 MiB holds.
func (t *task) extra() int { return t.N / 4 }

// runDie puts more objects into a fixture, has them written, and ends the
// process by SIGKILL, so that the store is not closed.
func runDie(t *task) (figures, error) {
	g := newGen(t.Keys, t.N, t.Value)
	e, err := t.open("", config{})
	if err != nil {
		return nil, err
	}
	var key [keyLen]byte
	for i := t.N; i < t.N+t.extra(); i++ {
		if err := e.Put(g.key(key[:], i), g.value(i)); err != nil {
			return nil, err
		}
	}
	if err := e.Sync(); err != nil {
		return nil, err
	}
	if err := json.NewEncoder(os.Stdout).Encode(figures{}); err != nil {
		return nil, err
	}
	return nil, syscall.Kill(os.Getpid(), syscall.SIGKILL)
}
