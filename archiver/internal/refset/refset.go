package refset

import (
	"cmp"
	"fmt"
	"iter"
	"slices"

	"github.com/varve-db/varve/segment"
)

// maxRunRefs bounds what the runs of one object stand for: what a live set may
// hold, so that a run cannot make a program take all memory.
const maxRunRefs = 1 << 22

// CheckRuns returns an error unless runs are what a Set returns.
func CheckRuns(runs []segment.Run) error {
	var total uint64
	for i, r := range runs {
		total += r.Count
		if r.Timeline == 0 || r.First == 0 || r.Count == 0 || r.Count > maxRunRefs || total > maxRunRefs || r.Last() < r.First {
			return fmt.Errorf("run %d of segments, %v with %d, cannot be", i, segment.Ref{Timeline: r.Timeline, ID: r.First}, r.Count)
		}
		if i > 0 && (RunOrder(runs[i-1], r) >= 0 || runs[i-1].Timeline == r.Timeline && runs[i-1].Last()+1 >= r.First) {
			return fmt.Errorf("run %d of segments, %v, is out of order", i, r)
		}
	}
	return nil
}

// RunOrder orders runs by timeline, then by id.
func RunOrder(a, b segment.Run) int {
	return cmp.Or(cmp.Compare(a.Timeline, b.Timeline), cmp.Compare(a.First, b.First))
}

// Set is a set of segments that grows: a segment.Set, and what is to be added to it. So
// what is added one by one is put in order once. It may be read from several
// goroutines once it was normalized.
type Set struct {
	added []segment.Run // in any order, overlapping
	Set   segment.Set
}

// Of returns the set of refs.
func Of(refs []segment.Ref) *Set { return &Set{Set: segment.SetOf(refs...)} }

// OfRuns returns the set of runs.
func OfRuns(runs []segment.Run) *Set { return &Set{Set: segment.SetOfRuns(runs...)} }

// AddRefs adds refs. It is quick for refs in order.
func (s *Set) AddRefs(refs []segment.Ref) {
	for _, r := range refs {
		if n := len(s.added); n > 0 && s.added[n-1].Timeline == r.Timeline && s.added[n-1].Last()+1 == r.ID {
			s.added[n-1].Count++
			continue
		}
		s.added = append(s.added, segment.Run{Timeline: r.Timeline, First: r.ID, Count: 1})
	}
}

// AddRuns adds runs.
func (s *Set) AddRuns(runs []segment.Run) { s.added = append(s.added, runs...) }

// AddSet adds what a set holds.
func (s *Set) AddSet(o segment.Set) { s.AddRuns(o.Runs()) }

// AddAll adds what another set holds.
func (s *Set) AddAll(o *Set) { s.AddSet(o.Whole()) }

// Whole returns all of the set.
func (s *Set) Whole() segment.Set {
	if len(s.added) > 0 {
		s.Set, s.added = s.Set.Union(segment.SetOfRuns(s.added...)), nil
	}
	return s.Set
}

// Normal returns the set as runs in order of timeline, then of id, as few as can
// be. They belong to the set.
func (s *Set) Normal() []segment.Run { return s.Whole().Runs() }

// Has reports whether the set holds ref.
func (s *Set) Has(ref segment.Ref) bool { return s.Whole().Has(ref) }

// Refs yields the set's members in order of timeline, then of id.
func (s *Set) Refs() iter.Seq[segment.Ref] {
	return func(yield func(segment.Ref) bool) {
		for _, r := range s.Normal() {
			for ref := range r.All() {
				if !yield(ref) {
					return
				}
			}
		}
	}
}

// Len returns how many the set holds.
func (s *Set) Len() int { return s.Whole().Len() }

// Minus returns what s holds and o does not.
func (s *Set) Minus(o *Set) *Set { return &Set{Set: s.Whole().Minus(o.Whole())} }

// And returns what both hold.
func (s *Set) And(o *Set) *Set { return s.Minus(s.Minus(o)) }

// Meets reports whether both hold some segment.
func (s *Set) Meets(o *Set) bool { return s.And(o).Len() > 0 }

// Merged returns the union of two sets of refs.
func Merged(a, b []segment.Ref) []segment.Ref {
	all := slices.Concat(a, b)
	slices.SortFunc(all, segment.Ref.Compare)
	return slices.Compact(all)
}
