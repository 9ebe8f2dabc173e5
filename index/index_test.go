package index

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unsafe"
)

func TestLeafFillsItsSizeClassAndHoldsNoPointers(t *testing.T) {
	if n := unsafe.Sizeof(leaf{}); n > leafBytes || n < leafBytes-leafBytes/32 {
		t.Errorf("a leaf has %d bytes in a size class of %d", n, leafBytes)
	}
	if n := testing.AllocsPerRun(10, func() { sink = new(leaf) }); n != 1 {
		t.Errorf("%v allocations", n)
	}
}

var sink *leaf

func TestLocAtItsLimits(t *testing.T) {
	x := New()
	for i, l := range []Loc{{}, {1<<24 - 1, 1<<33 - 1, 1<<31 - 1}, {1<<24 - 1, 0, 0}, {0, 1<<33 - 1, 0}, {0, 0, 1<<31 - 1}} {
		key := bytes.Repeat([]byte{byte(i)}, MaxKeyLen)
		x.Put(key, l)
		if got, ok := x.Get(key); !ok || got != l {
			t.Errorf("Get = %v %v, want %v", got, ok, l)
		}
	}
	mustHold(t, x)
}

func TestProgrammerErrorsPanic(t *testing.T) {
	for name, do := range map[string]func(){
		"index: key of 65536 bytes":          func() { New().Put(make([]byte, 65536), Loc{}) },
		"index: location out of its limits":  func() { New().Put(nil, Loc{Slot: 1 << 24}) },
		"index: location out of its limits:": func() { New().Put(nil, Loc{Offset: 1 << 33}) },
		"index: location out":                func() { New().Put(nil, Loc{Size: 1 << 31}) },
		"index: location":                    func() { New().Put(nil, Loc{Size: -1}) },
		"index: keys added to a Builder out of order": func() {
			b := NewBuilder()
			b.Add([]byte("a"), Loc{})
			b.Add([]byte("a"), Loc{})
		},
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.HasPrefix(got, name) {
					t.Errorf("panic %q, want %q", got, name)
				}
			}()
			do()
		}()
	}
}

func TestReadersDoNotAllocate(t *testing.T) {
	for name, key := range keyKinds {
		x := New()
		for i := range 2000 {
			x.Put(key(i), Loc{})
		}
		s := x.Snapshot()
		k := key(1234)
		if n := testing.AllocsPerRun(100, func() { x.Get(k); s.Get(k); x.Live(7); x.Memory() }); n != 0 {
			t.Errorf("%s keys: %v allocations", name, n)
		}
	}
}

func TestLeavesAreWellFilled(t *testing.T) {
	const n = 60_000
	up := make([][]byte, n)
	for i := range up {
		up[i] = fmt.Appendf(nil, "user:%011d", i)
	}
	fill := func(put func(*Index)) float64 {
		x := New()
		put(x)
		mustHold(t, x)
		return float64(x.n) / float64(x.leaves*leafCap)
	}
	for name, c := range map[string]struct {
		min float64
		put func(*Index)
	}{
		"ascending": {0.97, func(x *Index) {
			for _, k := range up {
				x.Put(k, Loc{})
			}
		}},
		"descending": {0.97, func(x *Index) {
			for i := range up {
				x.Put(up[n-1-i], Loc{})
			}
		}},
		"ascending in two places": {0.95, func(x *Index) {
			for i := range n / 2 {
				x.Put(up[i], Loc{})
				x.Put(up[n/2+i], Loc{})
			}
		}},
		"scattered": {0.55, func(x *Index) {
			for i := range up {
				x.Put(up[i*7919%n], Loc{})
			}
		}},
		"most deleted": {0.3, func(x *Index) {
			for _, k := range up {
				x.Put(k, Loc{})
			}
			for i, k := range up {
				if i%10 != 0 {
					x.Delete(k)
				}
			}
		}},
	} {
		if got := fill(c.put); got < c.min {
			t.Errorf("%s: leaves %.2f full, want %.2f", name, got, c.min)
		}
	}
}
