package main

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// runMemory puts objects one by one and measures the heap once the store has
// come to rest. What it takes after reopening, runOpen measures.
func runMemory(t *task) (figures, error) {
	g := newGen(t.Keys, t.N, t.Value)
	base := liveHeap()
	e, err := t.open("", config{})
	if err != nil {
		return nil, err
	}
	var key [keyLen]byte
	start := time.Now()
	n := 0
	for ; n < t.N && (n%1024 != 0 || time.Since(start) < t.Limit); n++ {
		if err := e.Put(g.key(key[:], n), g.value(n)); err != nil {
			return nil, err
		}
	}
	if err := e.Sync(); err != nil {
		return nil, err
	}
	heap := resting() - base
	runtime.KeepAlive(g) // it is in base
	f := figures{"heap": heap, "heap per key": heap/float64(n) - keyLen}
	f.addResident()
	return f, e.Close()
}

// resting returns the live heap once it no longer falls: until then what the
// store does in the background is at work.
func resting() float64 {
	heap := liveHeap()
	for same := 0; same < 4; {
		time.Sleep(50 * time.Millisecond)
		now := liveHeap()
		if now < 0.999*heap {
			same = 0
		} else {
			same++
		}
		heap = now
	}
	return heap
}

// addResident adds the resident memory of the process: of all of it, and without
// the pages of files.
func (f figures) addResident() {
	runtime.GC()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return // not Linux
	}
	for line := range strings.Lines(string(b)) {
		name, rest, _ := strings.Cut(line, ":")
		if name != "VmRSS" && name != "RssAnon" {
			continue
		}
		kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
		if err != nil {
			continue
		}
		if name == "VmRSS" {
			f["resident"] = kib * 1024
		} else {
			f["resident, own"] = kib * 1024
		}
	}
}
