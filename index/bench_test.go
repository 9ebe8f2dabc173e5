package index

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
)

// shapes are the kinds of keys that benchmarks run with; key(i) scatters i.
var shapes = []struct {
	name string
	key  func(dst []byte, i int) []byte
}{
	{"random16", func(dst []byte, i int) []byte {
		r := rand.NewPCG(uint64(i), 7)
		dst = binary.BigEndian.AppendUint64(dst, r.Uint64())
		return binary.BigEndian.AppendUint64(dst, r.Uint64())
	}},
	{"user", func(dst []byte, i int) []byte {
		return fmt.Appendf(dst, "user:%011d", i*618_033%1_000_000)
	}},
	{"mixed", func(dst []byte, i int) []byte {
		return fmt.Appendf(dst, "%s:%011d", []string{"user", "session", "blob"}[i%3], i*618_033%1_000_000)
	}},
	{"url80", func(dst []byte, i int) []byte {
		n := i * 618_033 % 1_000_000
		return fmt.Appendf(dst, "https://www.example.com/catalog/department-%02d/product-%08d/%-23d", n%40, n, n)
	}},
}

const benchKeys = 1_000_000

func benchSet(b *testing.B, key func([]byte, int) []byte) [][]byte {
	b.Helper()
	set := make([][]byte, benchKeys)
	for i := range set {
		set[i] = key(nil, i)
	}
	return compact(set)
}

func benchLoc(i int) Loc { return Loc{Slot: uint32(i >> 17), Offset: int64(i) * 160, Size: 160} }

func sorted(set [][]byte) [][]byte {
	s := slices.Clone(set)
	slices.SortFunc(s, bytes.Compare)
	return compact(s)
}

// shuffled returns the keys in another order.
func shuffled(set [][]byte) [][]byte {
	s := slices.Clone(set)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
	return compact(s)
}

// compact lays keys one after another, as in a table or a caller's buffer, so
// that reading them costs a benchmark nothing.
func compact(s [][]byte) [][]byte {
	var all []byte
	for _, k := range s {
		all = append(all, k...)
	}
	for i, k := range s {
		s[i], all = all[:len(k):len(k)], all[len(k):]
	}
	return s
}

func load(set [][]byte) *Index {
	x := New()
	for i, k := range set {
		x.Put(k, benchLoc(i))
	}
	return x
}

func build(set [][]byte) *Index {
	b := NewBuilder()
	for i, k := range set {
		b.Add(k, benchLoc(i))
	}
	return b.Finish()
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// perKey reports the time and the heap for each key of what make makes.
func perKey(b *testing.B, set [][]byte, make func() *Index) {
	b.ReportAllocs()
	before := heap()
	var x *Index
	for b.Loop() {
		x = make()
	}
	n := int64(len(set))
	keys := x.Memory().Keys
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/key")
	b.ReportMetric(float64(heap()-before-keys)/float64(n), "B/key-over")
	b.ReportMetric(float64(x.Memory().Heap-keys)/float64(n), "B/key-counted")
	runtime.KeepAlive(x)
}

func BenchmarkPut(b *testing.B) {
	for _, s := range shapes {
		set := benchSet(b, s.key)
		b.Run(s.name, func(b *testing.B) { perKey(b, set, func() *Index { return load(set) }) })
		asc := sorted(set)
		b.Run(s.name+"/ascending", func(b *testing.B) { perKey(b, asc, func() *Index { return load(asc) }) })
	}
}

func BenchmarkBuild(b *testing.B) {
	for _, s := range shapes {
		set := sorted(benchSet(b, s.key))
		b.Run(s.name, func(b *testing.B) { perKey(b, set, func() *Index { return build(set) }) })
	}
}

func BenchmarkGet(b *testing.B) {
	for _, s := range shapes {
		set := benchSet(b, s.key)
		x := load(set)
		ask := shuffled(set)
		b.Run(s.name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, ok := x.Get(ask[i%benchKeys]); !ok {
					b.Fatal("lost")
				}
				i++
			}
		})
	}
}

func BenchmarkDelete(b *testing.B) {
	for _, s := range shapes[:2] {
		set := benchSet(b, s.key)
		ask := shuffled(set)
		b.Run(s.name, func(b *testing.B) {
			var x *Index
			i := benchKeys
			for b.Loop() {
				if i == benchKeys {
					b.StopTimer()
					x, i = load(set), 0
					b.StartTimer()
				}
				x.Delete(ask[i])
				i++
			}
		})
	}
}

// BenchmarkChurn replaces keys by others, so that chunks are evacuated.
func BenchmarkChurn(b *testing.B) {
	set := benchSet(b, shapes[0].key)
	x := load(set[:benchKeys/2])
	r := rand.New(rand.NewPCG(1, 2))
	order := r.Perm(benchKeys)
	i := 0
	for b.Loop() {
		k := set[order[i%benchKeys]]
		if _, ok := x.Delete(k); !ok {
			x.Put(k, benchLoc(i))
		}
		i++
	}
	m := x.Memory()
	b.ReportMetric(float64(m.Dead)/float64(m.Keys), "dead/alive")
}

func BenchmarkIterate(b *testing.B) {
	for _, s := range shapes {
		set := benchSet(b, s.key)
		for _, by := range []struct {
			name string
			x    *Index
		}{{"put", load(set)}, {"built", build(sorted(set))}} {
			snap := by.x.Snapshot()
			perItem := func(b *testing.B) {
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchKeys, "ns/key")
			}
			b.Run(s.name+"/"+by.name+"/locs", func(b *testing.B) {
				var sum int64
				for b.Loop() {
					for r := range snap.Leaves(nil, nil, false) {
						for i := range r.Len() {
							sum += r.Loc(i).Offset
						}
					}
				}
				perItem(b)
			})
			b.Run(s.name+"/"+by.name+"/keys", func(b *testing.B) {
				sum := 0
				for b.Loop() {
					for r := range snap.Leaves(nil, nil, false) {
						for i := range r.Len() {
							sum += int(r.Key(i)[0]) + int(r.Loc(i).Size)
						}
					}
				}
				perItem(b)
			})
			snap.Close()
		}
	}
}

// sliceSource is a Source over a slice.
type sliceSource struct {
	entries []Entry
}

func (s *sliceSource) Next(e *Entry) (bool, error) {
	if len(s.entries) == 0 {
		return false, nil
	}
	*e = s.entries[0]
	s.entries = s.entries[1:]
	return true, nil
}

func BenchmarkMerge(b *testing.B) {
	for _, s := range shapes {
		set := sorted(benchSet(b, s.key))
		var parts [3][]Entry
		for i, k := range set {
			p := rand.IntN(3)
			parts[p] = append(parts[p], Entry{Key: k, Seq: uint64(i), Loc: benchLoc(i)})
		}
		b.Run(s.name, func(b *testing.B) {
			perKey(b, set, func() *Index {
				bl := NewBuilder()
				if err := Merge(bl, &sliceSource{parts[0]}, &sliceSource{parts[1]}, &sliceSource{parts[2]}); err != nil {
					b.Fatal(err)
				}
				return bl.Finish()
			})
		})
	}
}
