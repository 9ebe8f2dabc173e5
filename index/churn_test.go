package index

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// keyKinds are kinds of keys that stress different parts.
var keyKinds = map[string]func(i int) []byte{
	"random": func(i int) []byte {
		r := rand.New(rand.NewPCG(uint64(i), 3))
		return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, r.Uint64()), r.Uint64())
	},
	"shared prefix": func(i int) []byte { return fmt.Appendf(nil, "user:%011d", i*7919%100_003) },
	"families":      func(i int) []byte { return fmt.Appendf(nil, "%s/%d", []string{"a", "user", "zzzzzzzzz"}[i%3], i) },
	"long": func(i int) []byte {
		return append(bytes.Repeat([]byte("long/"), 40), fmt.Sprint(i)...)
	},
	"ties": func(i int) []byte {
		return append(binary.BigEndian.AppendUint32(nil, uint32(i%64)), fmt.Sprintf("same same same %d", i)...)
	},
	"unlike lengths": func(i int) []byte {
		return append(fmt.Append(nil, i), make([]byte, i%7*i%3000)...)
	},
}

func mustHold(t *testing.T, x *Index) {
	t.Helper()
	if err := x.check(); err != nil {
		t.Fatal(err)
	}
}

func TestChurnGivesDeadBytesBack(t *testing.T) {
	for name, key := range keyKinds {
		t.Run(name, func(t *testing.T) {
			const seed, space = 11, 12_000
			r := rand.New(rand.NewPCG(seed, seed))
			x, want := New(), model{}
			var views []view
			walks := 0
			for i := range 150_000 {
				k := key(r.IntN(space))
				if r.IntN(2) == 0 {
					l := Loc{Slot: uint32(r.IntN(5)), Offset: int64(i), Size: int64(r.IntN(1000))}
					x.Put(k, l)
					want[string(k)] = l
				} else {
					x.Delete(k)
					delete(want, string(k))
				}
				if x.arena.walk.active {
					walks++
				}
				if i%9_973 == 0 {
					mustHold(t, x)
				}
				if i%25_000 == 24_999 {
					views = append(views, view{x.Snapshot(), maps.Clone(want)})
				}
				if len(views) == 3 {
					mustMatch(t, seed, views[0].snap, views[0].want)
					views[0].snap.Close()
					views = views[1:]
				}
			}
			if walks == 0 {
				t.Errorf("seed %d: no chunk was evacuated", seed)
			}
			mustHold(t, x)
			views = append(views, view{x.Snapshot(), want})
			for _, v := range views {
				mustMatch(t, seed, v.snap, v.want)
				v.snap.Close()
			}
			if m := x.Memory(); m.Dead > m.Keys+4*maxChunk || m.Retained != 0 {
				t.Errorf("seed %d: %+v", seed, m)
			}
		})
	}
}

func mustMatch(t *testing.T, seed int, s *Snapshot, want model) {
	t.Helper()
	n := 0
	for k, l := range s.Scan(nil, nil, false) {
		if w, ok := want[string(k)]; !ok || w != l {
			t.Fatalf("seed %d: %.40q is at %v, want %v %v", seed, k, l, w, ok)
		}
		n++
	}
	if n != len(want) {
		t.Fatalf("seed %d: %d keys, want %d", seed, n, len(want))
	}
}

func TestMemoryIsReturnedAfterDeletingEverything(t *testing.T) {
	for name, key := range keyKinds {
		t.Run(name, func(t *testing.T) {
			x := New()
			for i := range 20_000 {
				x.Put(key(i), Loc{Slot: 1, Size: 5})
			}
			for _, i := range rand.New(rand.NewPCG(1, 1)).Perm(20_000) {
				x.Delete(key(i))
			}
			mustHold(t, x)
			m := x.Memory()
			if x.Len() != 0 || m.Keys != 0 || m.Dead != 0 || m.Heap > 2*leafBytes+pageBytes+topHeap+slotPage*16 {
				t.Errorf("%d keys, %+v", x.Len(), m)
			}
			if x.Live(1) != (Live{}) {
				t.Errorf("alive: %+v", x.Live(1))
			}
			x.Put([]byte("again"), Loc{})
			mustHold(t, x)
		})
	}
}

func TestMemoryIsWhatTheHeapHolds(t *testing.T) {
	for name, key := range keyKinds {
		t.Run(name, func(t *testing.T) {
			set := make([][]byte, 30_000)
			for i := range set {
				set[i] = key(i)
			}
			before := heap()
			x := load(set)
			got, want := x.Memory().Heap, heap()-before
			if got < want*93/100-50_000 || got > want*107/100+50_000 {
				t.Errorf("counted %d bytes, the heap grew by %d", got, want)
			}
			y := build(sorted(set))
			got, want = Estimate(int64(x.Len()), x.Memory().Keys), y.Memory().Heap
			if got < want*93/100-maxChunk || got > want*107/100 {
				t.Errorf("estimated %d bytes, it holds %d", got, want)
			}
			runtime.KeepAlive(x)
		})
	}
}

func TestSnapshotCostsOneCopyOfEachLeafThatIsWritten(t *testing.T) {
	x := New()
	key := keyKinds["random"]
	for i := range 10_000 {
		x.Put(key(i), Loc{})
	}
	s := x.Snapshot()
	for range 2 {
		for i := range 10_000 {
			x.Put(key(i), Loc{Slot: 1})
		}
	}
	if got, want := x.Memory().Retained, int64(x.leaves*leafBytes+x.dir.pages*pageBytes); got != want {
		t.Errorf("retained %d bytes, want %d", got, want)
	}
	s.Close()
	s.Close()
	leaf := x.dir.find(key(1)).leaf
	x.Put(key(1), Loc{Slot: 2})
	if x.Memory().Retained != 0 || x.dir.find(key(1)).leaf != leaf {
		t.Error("a leaf was copied though no snapshot is open")
	}
}

func TestSnapshotsAreReadBesideAWriter(t *testing.T) {
	const seed, space = 5, 6000
	for _, name := range []string{"random", "shared prefix", "unlike lengths"} {
		key := keyKinds[name]
		x := New()
		r := rand.New(rand.NewPCG(seed, seed))
		var wg sync.WaitGroup
		var open atomic.Int32
		for i := range 60_000 {
			n := r.IntN(space)
			if r.IntN(5) < 2 {
				x.Put(key(n), Loc{Slot: uint32(n % 300), Offset: int64(n)})
			} else {
				x.Delete(key(n))
			}
			if i%500 == 0 && open.Load() < 4 {
				s := x.Snapshot()
				open.Add(1)
				wg.Go(func() {
					defer open.Add(-1)
					defer s.Close()
					if err := readAll(s, i%1000 == 0); err != nil {
						t.Errorf("seed %d, %s keys: %v", seed, name, err)
					}
				})
			}
		}
		wg.Wait()
		mustHold(t, x)
	}
}

// readAll reads all keys of a snapshot in both ways.
func readAll(s *Snapshot, reverse bool) error {
	n := 0
	for k, l := range s.Scan(nil, nil, reverse) {
		if got, ok := s.Get(k); !ok || got != l {
			return fmt.Errorf("%.40q is at %v by iteration, at %v %v by Get", k, l, got, ok)
		}
		n++
	}
	if n != s.Len() {
		return fmt.Errorf("%d keys, want %d", n, s.Len())
	}
	return nil
}
