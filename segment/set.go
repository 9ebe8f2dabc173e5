package segment

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
)

// Run stands for segments of one timeline with consecutive ids. A store of 100,000
// segments is a handful of runs: one for each timeline that it went through.
type Run struct {
	Timeline Timeline `json:"timeline"`
	First    ID       `json:"first"`
	Count    uint64   `json:"count"` // at least 1
}

// String returns timeline/first–last, and the ref of a run of one.
func (r Run) String() string {
	if r.Count == 1 {
		return r.first().String()
	}
	return fmt.Sprintf("%v/%v–%v", r.Timeline, r.First, r.Last())
}

// Last returns the greatest id of the run.
func (r Run) Last() ID { return r.First + ID(r.Count) - 1 }

// All yields the run's members in order.
func (r Run) All() iter.Seq[Ref] {
	return func(yield func(Ref) bool) {
		for i := range ID(r.Count) {
			if !yield(Ref{r.Timeline, r.First + i}) {
				return
			}
		}
	}
}

func (r Run) first() Ref { return Ref{r.Timeline, r.First} }
func (r Run) last() Ref  { return Ref{r.Timeline, r.Last()} }

// meets reports whether a run that begins at r or after it goes on without a gap
// from r, or overlaps it.
func (r Run) meets(o Run) bool { return r.Timeline == o.Timeline && o.First <= r.Last()+1 }

// byTimeline is the order of runs in a Set.
func byTimeline(a, b Run) int {
	return cmp.Or(cmp.Compare(a.Timeline, b.Timeline), cmp.Compare(a.First, b.First))
}

// Set is a set of segments. It is kept as runs, so that what it takes, and what
// is done with it, costs by the timelines in it and not by the segments. The
// zero value is the empty set. A Set does not change: each operation returns
// another one. It may be copied, and used from several goroutines.
type Set struct {
	runs []Run // in order of byTimeline; none meets the next
}

// SetOf returns the set of refs, which may be in any order. It is quickest for
// those in order of Ref.Compare.
func SetOf(refs ...Ref) Set { return setOf(appendRuns(nil, refs)) }

// SetOfRuns returns the set of what runs hold, which may be in any order and
// overlap.
func SetOfRuns(runs ...Run) Set { return setOf(slices.Clone(runs)) }

// appendRuns appends refs to runs: to the last of them, if they go on from it.
func appendRuns(runs []Run, refs []Ref) []Run {
	for _, r := range refs {
		if n := len(runs); n > 0 && runs[n-1].Timeline == r.Timeline && runs[n-1].Last()+1 == r.ID {
			runs[n-1].Count++
			continue
		}
		runs = append(runs, Run{r.Timeline, r.ID, 1})
	}
	return runs
}

// setOf returns the set of runs, which are the set's from then on.
func setOf(runs []Run) Set {
	slices.SortFunc(runs, byTimeline)
	out := runs[:0]
	for _, r := range runs {
		n := len(out)
		if n == 0 || !out[n-1].meets(r) {
			out = append(out, r)
			continue
		}
		last := max(out[n-1].Last(), r.Last())
		out[n-1].Count = uint64(last-out[n-1].First) + 1
	}
	return Set{out}
}

// Runs returns the set as runs in order of timeline, then of id, as few as can
// be. They belong to the set, and must not be changed.
func (s Set) Runs() []Run { return s.runs }

// Len returns how many segments the set holds.
func (s Set) Len() int {
	n := 0
	for _, r := range s.runs {
		n += int(r.Count)
	}
	return n
}

// Has reports whether the set holds a segment.
func (s Set) Has(ref Ref) bool {
	i, found := slices.BinarySearchFunc(s.runs, Run{ref.Timeline, ref.ID, 1}, byTimeline)
	return found || i > 0 && s.runs[i-1].Timeline == ref.Timeline && ref.ID <= s.runs[i-1].Last()
}

// MaxID returns the greatest id in the set, of whichever timeline; zero if it is empty.
func (s Set) MaxID() ID {
	id := ID(0)
	for _, r := range s.runs {
		id = max(id, r.Last())
	}
	return id
}

// Equal reports whether both sets hold the same.
func (s Set) Equal(o Set) bool { return slices.Equal(s.runs, o.runs) }

// With returns the set of what s holds, and refs.
func (s Set) With(refs ...Ref) Set { return s.Union(SetOf(refs...)) }

// Union returns the set of what s or o holds.
func (s Set) Union(o Set) Set {
	switch {
	case len(o.runs) == 0:
		return s
	case len(s.runs) == 0:
		return o
	}
	return setOf(slices.Concat(s.runs, o.runs))
}

// Minus returns the set of what s holds and o does not.
func (s Set) Minus(o Set) Set {
	if len(s.runs) == 0 || len(o.runs) == 0 {
		return s
	}
	var out []Run
	for _, r := range s.runs {
		out = r.appendWithout(out, o.runs)
	}
	return Set{out}
}

// And returns the set of what both hold.
func (s Set) And(o Set) Set { return s.Minus(s.Minus(o)) }

// Meets reports whether both hold some segment.
func (s Set) Meets(o Set) bool { return s.And(o).Len() > 0 }

// appendWithout appends to out what is left of r without the runs in cut, which are
// those of a set.
func (r Run) appendWithout(out []Run, cut []Run) []Run {
	i, _ := slices.BinarySearchFunc(cut, r, byTimeline)
	if i > 0 && cut[i-1].Timeline == r.Timeline {
		i--
	}
	for ; i < len(cut) && cut[i].Timeline == r.Timeline && cut[i].First <= r.Last(); i++ {
		c := cut[i]
		if c.Last() < r.First {
			continue
		}
		if c.First > r.First {
			out = append(out, Run{r.Timeline, r.First, uint64(c.First - r.First)})
		}
		if c.Last() >= r.Last() {
			return out
		}
		r = Run{r.Timeline, c.Last() + 1, uint64(r.Last() - c.Last())}
	}
	return append(out, r)
}

// All yields the segments of the set in order of Ref.Compare.
func (s Set) All() iter.Seq[Ref] {
	return func(yield func(Ref) bool) {
		for _, r := range s.ordered() {
			for ref := range r.All() {
				if !yield(ref) {
					return
				}
			}
		}
	}
}

// ordered returns the set as it is written: the members in order of Ref.Compare, so
// that two timelines with the same ids alternate, and as few runs as that allows.
func (s Set) ordered() []Run {
	runs := slices.SortedFunc(slices.Values(s.runs), func(a, b Run) int { return a.first().Compare(b.first()) })
	out := make([]Run, 0, len(runs))
	for len(runs) > 0 {
		n, last := 1, runs[0].last() // of the runs that overlap
		for ; n < len(runs) && last.Compare(runs[n].first()) > 0; n++ {
			if o := runs[n].last(); last.Compare(o) < 0 {
				last = o
			}
		}
		if n == 1 {
			out = append(out, runs[0])
		} else {
			out = appendRuns(out, expanded(runs[:n]))
		}
		runs = runs[n:]
	}
	return out
}

// expanded returns what runs hold, in order.
func expanded(runs []Run) []Ref {
	var refs []Ref
	for _, r := range runs {
		refs = slices.AppendSeq(refs, r.All())
	}
	slices.SortFunc(refs, Ref.Compare)
	return refs
}

// strings writes the set for people, run by run.
func (s Set) strings() []string {
	var out []string
	for _, r := range s.ordered() {
		out = append(out, r.String())
	}
	return out
}

// valid reports whether a header can hold the set.
func (s Set) valid() bool {
	for _, r := range s.runs {
		if r.Timeline == 0 || r.First == 0 || r.Count == 0 || r.Last() < r.First {
			return false
		}
	}
	return true
}

// appendSet appends the written form of runs, which are what ordered returns.
func appendSet(dst []byte, runs []Run) []byte {
	for _, r := range runs {
		dst = appendRef(dst, r.first())
		dst = le.AppendUint32(dst, uint32(r.Count))
	}
	return dst
}

// maxRefs bounds what a set in a header may stand for, so that one run cannot make
// a reader take memory without end: four million segments, 256 TiB of the default cap.
const maxRefs = 1 << 22

// parseSet is the inverse of appendSet, and takes nothing that it does not write.
func parseSet(b []byte) (Set, error) {
	if len(b) == 0 {
		return Set{}, nil
	}
	runs, total := make([]Run, 0, len(b)/runSize), uint64(0)
	for ; len(b) > 0; b = b[runSize:] {
		first := parseRef(b)
		r := Run{first.Timeline, first.ID, uint64(le.Uint32(b[refSize:]))}
		if total += r.Count; r.Count == 0 || total > maxRefs || r.First+ID(r.Count) < r.First {
			return Set{}, corrupt(headerFixed, "a run of %d segments", r.Count)
		}
		if r.First == 0 || r.Timeline == 0 {
			return Set{}, corrupt(headerFixed, "a set out of order")
		}
		if n := len(runs); n > 0 && (runs[n-1].last().Compare(r.first()) >= 0 || runs[n-1].meets(r)) {
			return Set{}, corrupt(headerFixed, "a set out of order")
		}
		runs = append(runs, r)
	}
	return setOf(runs), nil
}

// Apply returns the set after an edit.
func (e EditSet) Apply(s Set) Set { return s.Minus(SetOf(e.Retire...)).With(e.Adopt...) }
