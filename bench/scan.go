package main

import (
	"bytes"
	"fmt"
	"time"
)

// passes is how many scans are measured, after one that warms and checks.
const passes = 3

// runScan visits all objects and touches their values: length, first and last
// byte. By ascending key where the store can.
func runScan(t *task) (figures, error) {
	g := newGen(t.Keys, t.N, t.Value)
	e, err := t.open("", config{})
	if err != nil {
		return nil, err
	}
	if err := checkScan(e, g, kindOf(t.Store).ordered); err != nil {
		return nil, err
	}
	want := uint64(0)
	for i := range t.N {
		want += ends(g.value(i))
	}
	start := time.Now()
	for range passes {
		sum := uint64(0)
		if err := e.Scan(func(_, v []byte) { sum += ends(v) }); err != nil {
			return nil, err
		}
		if sum != want {
			return nil, fmt.Errorf("scan: sum %d, want %d", sum, want)
		}
	}
	took := time.Since(start)
	return figures{"rate": perSecond(passes*t.N, took)}, e.Close()
}

// ends touches a value.
func ends(v []byte) uint64 {
	return uint64(len(v)) + uint64(v[0]) + uint64(v[len(v)-1])
}

// checkScan scans once and checks the number of objects and their order.
func checkScan(e engine, g *gen, ordered bool) error {
	n := 0
	var last []byte
	err := e.Scan(func(k, v []byte) {
		if !ordered || n == 0 || bytes.Compare(last, k) < 0 {
			n++
		}
		last = append(last[:0], k...)
	})
	if err == nil && n != int(g.n) {
		err = fmt.Errorf("scan: %d objects in order, want %d", n, g.n)
	}
	return err
}
