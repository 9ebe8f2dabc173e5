package main

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// runGet reads objects at random from a warm store, with one and with two
// readers, as copies and lent.
func runGet(t *task) (figures, error) {
	g := newGen(t.Keys, t.N, t.Value)
	e, err := t.open("", config{})
	if err != nil {
		return nil, err
	}
	if err := warm(e, g); err != nil {
		return nil, err
	}
	f := figures{}
	for readers := 1; readers <= 2; readers++ {
		if f[fmt.Sprint(readers, " copied")], err = get(e.Get, nil, g, readers); err != nil {
			return nil, err
		}
		if f[fmt.Sprint(readers, " lent")], err = get(nil, e.Read, g, readers); err != nil {
			return nil, err
		}
	}
	f.addResident()
	return f, e.Close()
}

// warm reads each object once and compares its whole value.
func warm(e engine, g *gen) error {
	var key [keyLen]byte
	for i := range int(g.n) {
		v, err := e.Get(g.key(key[:], i))
		if err != nil {
			return err
		}
		if string(v) != string(g.value(i)) {
			return fmt.Errorf("key %q has another value than was put", key)
		}
	}
	return nil
}

// get has readers read half as many objects as there are, each, and returns the
// rate. One of copied and lent is nil.
func get(copied func([]byte) ([]byte, error), lent func([]byte, func([]byte)) error, g *gen, readers int) (float64, error) {
	each := int(g.n+1) / 2
	sums := make([]sum, readers)
	for r := range sums {
		sums[r] = expect(g, r, each)
	}
	errs := make([]error, readers)
	var wg sync.WaitGroup
	start := time.Now()
	for r := range readers {
		wg.Go(func() {
			if copied != nil {
				errs[r] = sums[r].getAll(copied, r, each)
			} else {
				errs[r] = sums[r].readAll(lent, r, each)
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	for r := range sums {
		if err := errors.Join(errs[r], sums[r].check()); err != nil {
			return 0, err
		}
	}
	return perSecond(readers*each, took), nil
}

// sum checks what a reader reads: each length, and the sum of a byte of each.
type sum struct {
	g     *gen
	want  uint64
	bytes uint64
	other int // values of another length
}

// expect returns the sum of what reader r is to read in n steps.
func expect(g *gen, r, n int) sum {
	s := sum{g: g}
	for j := range n {
		s.want += uint64(g.value(g.pick(r, j))[g.size/2])
	}
	return s
}

func (s *sum) add(v []byte) {
	if len(v) != s.g.size {
		s.other++
		return
	}
	s.bytes += uint64(v[len(v)/2])
}

func (s *sum) getAll(get func([]byte) ([]byte, error), r, n int) error {
	var key [keyLen]byte
	for j := range n {
		v, err := get(s.g.key(key[:], s.g.pick(r, j)))
		if err != nil {
			return err
		}
		s.add(v)
	}
	return nil
}

func (s *sum) readAll(read func([]byte, func([]byte)) error, r, n int) error {
	key := make([]byte, keyLen)
	add := s.add
	for j := range n {
		if err := read(s.g.key(key, s.g.pick(r, j)), add); err != nil {
			return err
		}
	}
	return nil
}

// check says whether all that was read is what was put.
func (s *sum) check() error {
	if s.bytes != s.want || s.other > 0 {
		return fmt.Errorf("read other values than were put: sum %d, want %d, %d of another length", s.bytes, s.want, s.other)
	}
	return nil
}
