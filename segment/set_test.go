package segment

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawRefs draws refs of few timelines with few ids, so that runs touch, overlap and
// alternate.
func drawRefs(t *rapid.T, name string) []Ref {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Ref {
		return Ref{Timeline(rapid.IntRange(1, 3).Draw(t, "timeline")), ID(rapid.IntRange(1, 24).Draw(t, "id"))}
	}), 0, 40).Draw(t, name)
}

func mapOf(refs []Ref) map[Ref]bool {
	m := map[Ref]bool{}
	for _, r := range refs {
		m[r] = true
	}
	return m
}

func sortedRefs(m map[Ref]bool) []Ref { return slices.SortedFunc(maps.Keys(m), Ref.Compare) }

func TestSetIsWhatAMapWouldBe(t *testing.T) {
	same := func(t *rapid.T, what string, s Set, want map[Ref]bool) {
		t.Helper()
		refs := slices.Collect(s.All())
		if !slices.Equal(refs, sortedRefs(want)) {
			t.Fatalf("%s holds %v, want %v", what, refs, sortedRefs(want))
		}
		greatest := ID(0)
		for timeline := range Timeline(5) {
			for id := range ID(27) {
				ref := Ref{timeline, id}
				if s.Has(ref) != want[ref] {
					t.Fatalf("%s has %v: %v, want %v", what, ref, s.Has(ref), want[ref])
				}
				if want[ref] {
					greatest = max(greatest, id)
				}
			}
		}
		if s.Len() != len(want) || s.MaxID() != greatest || !s.valid() {
			t.Fatalf("%s: length %d, greatest id %d, valid %v, want %d and %d", what, s.Len(), s.MaxID(), s.valid(), len(want), greatest)
		}
		for i, r := range s.Runs() {
			if i > 0 && (byTimeline(s.Runs()[i-1], r) >= 0 || s.Runs()[i-1].meets(r)) {
				t.Fatalf("%s: runs %v are not the fewest in order", what, s.Runs())
			}
		}
		if !s.Equal(SetOf(refs...)) || !s.Equal(SetOfRuns(s.Runs()...)) {
			t.Fatalf("%s is another set when it is made again", what)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawRefs(t, "a"), drawRefs(t, "b")
		s, o := SetOf(a...), SetOf(b...)
		union, minus := mapOf(slices.Concat(a, b)), mapOf(a)
		maps.DeleteFunc(minus, func(r Ref, _ bool) bool { return mapOf(b)[r] })
		and := mapOf(a)
		maps.DeleteFunc(and, func(r Ref, _ bool) bool { return !mapOf(b)[r] })
		same(t, "the set", s, mapOf(a))
		same(t, "the union", s.Union(o), union)
		same(t, "the set with refs", s.With(b...), union)
		same(t, "the difference", s.Minus(o), minus)
		same(t, "what both hold", s.And(o), and)
		if got := s.Meets(o); got != (len(and) > 0) {
			t.Fatalf("they meet: %v, want %v", got, !got)
		}
		same(t, "the edited set", EditSet{Retire: sortedRefs(mapOf(b)), Adopt: sortedRefs(mapOf(a))}.Apply(o), mapOf(a))
		same(t, "the set after all that", s, mapOf(a)) // which does not change
		same(t, "the other after all that", o, mapOf(b))
	})
}

// Two ways to write one set would be two headers for one state.
func TestSetIsWrittenInOneWay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := SetOf(drawRefs(t, "refs")...)
		b := appendSet(nil, s.ordered())
		got, err := parseSet(b)
		if err != nil || !got.Equal(s) {
			t.Fatalf("%v is read as %v, %v", s.Runs(), got.Runs(), err)
		}
		if refs := slices.Collect(got.All()); len(refs) > 0 {
			i := rapid.IntRange(0, len(b)/runSize-1).Draw(t, "run")
			b = slices.Insert(b, i*runSize, b[i*runSize:(i+1)*runSize]...)
			if got, err := parseSet(b); err == nil {
				t.Fatalf("a run twice is read as %v", got.Runs())
			}
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		var b []byte
		for range rapid.IntRange(1, 5).Draw(t, "runs") {
			b = appendSet(b, []Run{{Timeline(rapid.IntRange(0, 2).Draw(t, "timeline")), ID(rapid.IntRange(0, 6).Draw(t, "first")),
				uint64(rapid.IntRange(0, 3).Draw(t, "count"))}})
		}
		s, err := parseSet(b)
		if err == nil && !bytes.Equal(appendSet(nil, s.ordered()), b) {
			t.Fatalf("%x is read as %v, which is written otherwise", b, s.Runs())
		}
	})
}

// What a set takes goes by its runs: a million segments of one timeline are one.
func TestSetTakesWhatItsRunsTake(t *testing.T) {
	h := testHeader()
	h.Live, h.Retired = SetOfRuns(Run{7, 1, 1 << 20}), Set{}
	b := h.Append(nil)
	if n := testing.AllocsPerRun(10, func() {
		if _, _, err := ParseHeader(b); err != nil {
			t.Fatal(err)
		}
	}); n > 10 || len(b) > 200 {
		t.Errorf("a header of a million segments has %d bytes, and reading it allocates %v times", len(b), n)
	}
	for range h.Live.All() { // one by one, and not as a list
		break
	}
	h.Live = h.Live.With(Ref{7, 1<<20 + 1}).Minus(SetOf(Ref{7, 5}))
	if len(h.Live.Runs()) != 2 || h.Live.Len() != 1<<20 {
		t.Errorf("%v", h.Live.Runs())
	}
}
