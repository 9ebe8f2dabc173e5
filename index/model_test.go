package index

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// nastyKey draws keys that are prefixes of each other, tie in their first 8 or
// 16 bytes, differ by padding only, or are long.
func nastyKey() *rapid.Generator[string] {
	alphabet := rapid.SampledFrom([]byte{0, 0, 1, 'a', 'b', 0xff})
	tail := rapid.Custom(func(t *rapid.T) string {
		return string(rapid.SliceOfN(alphabet, 0, 5).Draw(t, "tail"))
	})
	heads := []string{"", "a", "\x00", "\xff\xff", "user:000", "user:0000000000", "user:0000000000\x00",
		string(bytes.Repeat([]byte("p"), 90)), string(bytes.Repeat([]byte("p"), 97)), string(bytes.Repeat([]byte("q"), 290))}
	huge := string(bytes.Repeat([]byte("h"), MaxKeyLen-6))
	return rapid.Custom(func(t *rapid.T) string {
		switch rapid.IntRange(0, 60).Draw(t, "kind") {
		case 0:
			return huge + tail.Draw(t, "tail")
		case 1, 2, 3, 4, 5, 6, 7, 8, 9, 10:
			return string(rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "bytes"))
		}
		return rapid.SampledFrom(heads).Draw(t, "head") + tail.Draw(t, "tail")
	})
}

func anyLoc() *rapid.Generator[Loc] {
	return rapid.Custom(func(t *rapid.T) Loc {
		return Loc{
			Slot:   rapid.SampledFrom([]uint32{0, 1, 2, 255, 256, 700, 1<<24 - 1}).Draw(t, "slot"),
			Offset: rapid.Int64Range(0, 1<<33-1).Draw(t, "offset"),
			Size:   rapid.Int64Range(0, 1<<31-1).Draw(t, "size"),
		}
	})
}

// model is what an index should hold.
type model map[string]Loc

// within returns the keys with lo <= key < hi in order.
func (m model) within(lo, hi []byte, reverse bool) []string {
	var out []string
	for k := range m {
		if k >= string(lo) && (hi == nil || k < string(hi)) {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	if reverse {
		slices.Reverse(out)
	}
	return out
}

// view is a snapshot and what it should hold.
type view struct {
	snap *Snapshot
	want model
}

func (v view) check(t *rapid.T, lo, hi []byte, reverse bool) {
	if v.snap.Len() != len(v.want) {
		t.Fatalf("snapshot has %d keys, want %d", v.snap.Len(), len(v.want))
	}
	want := v.want.within(lo, hi, reverse)
	n := 0
	for r := range v.snap.Leaves(lo, hi, reverse) {
		if r.Len() == 0 {
			t.Fatalf("empty run")
		}
		for i := range r.Len() {
			if n == len(want) {
				t.Fatalf("%.40q is too much in %.40q..%.40q", r.Key(i), lo, hi)
			}
			if string(r.Key(i)) != want[n] || r.Loc(i) != v.want[want[n]] {
				t.Fatalf("item %d of %.40q..%.40q is %.40q %v, want %.40q %v",
					n, lo, hi, r.Key(i), r.Loc(i), want[n], v.want[want[n]])
			}
			n++
		}
	}
	if n != len(want) {
		t.Fatalf("%d items in %.40q..%.40q, want %d", n, lo, hi, len(want))
	}
}

// machine drives an index and its model side by side.
type machine struct {
	x     *Index
	want  model
	known []string // every key that was ever put
	views []view
}

// key draws a key, often one that was there before.
func (m *machine) key(t *rapid.T) string {
	if len(m.known) > 0 && rapid.Bool().Draw(t, "known") {
		return rapid.SampledFrom(m.known).Draw(t, "key")
	}
	return nastyKey().Draw(t, "key")
}

func (m *machine) put(t *rapid.T, k string, l Loc) {
	buf := []byte(k)
	var p Place
	switch len(m.known) % 3 {
	case 1:
		p = m.x.Locate(buf)
	case 2:
		p = m.x.Locate(buf)
		m.snapshot()
	}
	old, replaced := m.x.PutAt(p, buf, l)
	for i := range buf {
		buf[i] ^= 0x55 // the index must have its own copy
	}
	was, had := m.want[k]
	if replaced != had || old != was {
		t.Fatalf("Put(%.40q) = %v %v, want %v %v", k, old, replaced, was, had)
	}
	m.want[k] = l
	m.known = append(m.known, k)
}

func (m *machine) delete(t *rapid.T, k string) {
	old, found := m.x.Delete([]byte(k))
	was, had := m.want[k]
	if found != had || old != was {
		t.Fatalf("Delete(%.40q) = %v %v, want %v %v", k, old, found, was, had)
	}
	delete(m.want, k)
}

func (m *machine) snapshot() {
	if len(m.views) < 4 {
		m.views = append(m.views, view{m.x.Snapshot(), maps.Clone(m.want)})
	}
}

// stretch puts or deletes many keys that are alike, so that leaves split and merge.
func (m *machine) stretch(t *rapid.T, do func(*rapid.T, string)) {
	head := nastyKey().Filter(func(s string) bool { return len(s) < MaxKeyLen-10 }).Draw(t, "head")
	step := rapid.SampledFrom([]int{1, -1, 7, 37}).Draw(t, "step")
	width := rapid.IntRange(1, 3).Draw(t, "width")
	n := rapid.IntRange(1, 300).Draw(t, "n")
	for i := range n {
		v := uint32(i*step) & 0xffff
		do(t, head+string([]byte{byte(v >> 8), byte(v), 0, 0, 0}[:1+width])+head[:min(len(head), width)])
	}
}

func (m *machine) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"put":    func(t *rapid.T) { m.put(t, m.key(t), anyLoc().Draw(t, "loc")) },
		"delete": func(t *rapid.T) { m.delete(t, m.key(t)) },
		"get": func(t *rapid.T) {
			k := m.key(t)
			l, ok := m.x.Get([]byte(k))
			if want, had := m.want[k]; ok != had || l != want {
				t.Fatalf("Get(%.40q) = %v %v, want %v %v", k, l, ok, want, had)
			}
			for _, v := range m.views {
				l, ok := v.snap.Get([]byte(k))
				if want, had := v.want[k]; ok != had || l != want {
					t.Fatalf("snapshot Get(%.40q) = %v %v, want %v %v", k, l, ok, want, had)
				}
			}
		},
		"move": func(t *rapid.T) {
			k, to := m.key(t), anyLoc().Draw(t, "to")
			from, had := m.want[k]
			if rapid.Bool().Draw(t, "stale") {
				from.Offset ^= 1
				had = false
			}
			if m.x.Move([]byte(k), from, to) != had {
				t.Fatalf("Move(%.40q) = %v", k, !had)
			}
			if had {
				m.want[k] = to
			}
		},
		"putMany": func(t *rapid.T) {
			l := anyLoc().Draw(t, "loc")
			m.stretch(t, func(t *rapid.T, k string) { m.put(t, k, l) })
		},
		"deleteMany": func(t *rapid.T) { m.stretch(t, m.delete) },
		"deleteKnown": func(t *rapid.T) {
			every := rapid.IntRange(1, 5).Draw(t, "every")
			for i, k := range m.want.within(nil, nil, rapid.Bool().Draw(t, "reverse")) {
				if i%every == 0 || i%every > 2 {
					m.delete(t, k)
				}
			}
		},
		"snapshot": func(*rapid.T) { m.snapshot() },
		"close": func(t *rapid.T) {
			if len(m.views) > 0 {
				i := rapid.IntRange(0, len(m.views)-1).Draw(t, "view")
				m.views[i].check(t, nil, nil, false)
				m.views[i].snap.Close()
				m.views = slices.Delete(m.views, i, i+1)
			}
		},
		"iterate": func(t *rapid.T) {
			now := view{m.x.Snapshot(), m.want}
			defer now.snap.Close()
			v := rapid.SampledFrom(append([]view{now}, m.views...)).Draw(t, "view")
			var lo, hi []byte
			if rapid.Bool().Draw(t, "low") {
				lo = []byte(m.key(t))
			}
			if rapid.Bool().Draw(t, "high") {
				hi = []byte(m.key(t))
			}
			v.check(t, lo, hi, rapid.Bool().Draw(t, "reverse"))
		},
		"": func(t *rapid.T) {
			if err := m.x.check(); err != nil {
				t.Fatal(err)
			}
			if m.x.Len() != len(m.want) {
				t.Fatalf("Len() = %d, want %d", m.x.Len(), len(m.want))
			}
		},
	}
}

func TestAgainstSortedMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{x: New(), want: model{}}
		if rapid.Bool().Draw(t, "built") {
			keys := rapid.SliceOfNDistinct(nastyKey(), 0, 300, rapid.ID).Draw(t, "keys")
			slices.Sort(keys)
			b := NewBuilder()
			for i, k := range keys {
				l := Loc{Slot: uint32(i % 3), Offset: int64(i), Size: int64(i)}
				b.Add([]byte(k), l)
				m.want[k] = l
			}
			m.x, m.known = b.Finish(), keys
		}
		t.Repeat(m.actions())
		for _, v := range m.views {
			v.check(t, nil, nil, false)
			v.check(t, nil, nil, true)
			v.snap.Close()
		}
	})
}
