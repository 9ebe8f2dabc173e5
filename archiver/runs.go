package archiver

import (
	"cmp"
	"fmt"
	"iter"

	"github.com/varve-db/varve/segment"
)

// maxRunRefs bounds what the runs of one object stand for: what a live set may
// hold, so that a run cannot make a program take all memory.
const maxRunRefs = 1 << 22

// checkRuns returns an error unless runs are what a refSet returns.
func checkRuns(runs []segment.Run) error {
	var total uint64
	for i, r := range runs {
		total += r.Count
		if r.Timeline == 0 || r.First == 0 || r.Count == 0 || r.Count > maxRunRefs || total > maxRunRefs || r.Last() < r.First {
			return fmt.Errorf("run %d of segments, %v with %d, cannot be", i, segment.Ref{Timeline: r.Timeline, ID: r.First}, r.Count)
		}
		if i > 0 && (runOrder(runs[i-1], r) >= 0 || runs[i-1].Timeline == r.Timeline && runs[i-1].Last()+1 >= r.First) {
			return fmt.Errorf("run %d of segments, %v, is out of order", i, r)
		}
	}
	return nil
}

// runOrder orders runs by timeline, then by id.
func runOrder(a, b segment.Run) int {
	return cmp.Or(cmp.Compare(a.Timeline, b.Timeline), cmp.Compare(a.First, b.First))
}

// refSet is a set of segments that grows: a segment.Set, and what is to be added to it. So
// what is added one by one is put in order once. It may be read from several
// goroutines once it was normalized.
type refSet struct {
	added []segment.Run // in any order, overlapping
	set   segment.Set
}

// setOf returns the set of refs.
func setOf(refs []segment.Ref) *refSet { return &refSet{set: segment.SetOf(refs...)} }

// setOfRuns returns the set of runs.
func setOfRuns(runs []segment.Run) *refSet { return &refSet{set: segment.SetOfRuns(runs...)} }

// addRefs adds refs. It is quick for refs in order.
func (s *refSet) addRefs(refs []segment.Ref) {
	for _, r := range refs {
		if n := len(s.added); n > 0 && s.added[n-1].Timeline == r.Timeline && s.added[n-1].Last()+1 == r.ID {
			s.added[n-1].Count++
			continue
		}
		s.added = append(s.added, segment.Run{Timeline: r.Timeline, First: r.ID, Count: 1})
	}
}

// addRuns adds runs.
func (s *refSet) addRuns(runs []segment.Run) { s.added = append(s.added, runs...) }

// addSet adds what a set holds.
func (s *refSet) addSet(o segment.Set) { s.addRuns(o.Runs()) }

// addAll adds what another set holds.
func (s *refSet) addAll(o *refSet) { s.addSet(o.whole()) }

// whole returns all of the set.
func (s *refSet) whole() segment.Set {
	if len(s.added) > 0 {
		s.set, s.added = s.set.Union(segment.SetOfRuns(s.added...)), nil
	}
	return s.set
}

// normal returns the set as runs in order of timeline, then of id, as few as can
// be. They belong to the set.
func (s *refSet) normal() []segment.Run { return s.whole().Runs() }

// has reports whether the set holds ref.
func (s *refSet) has(ref segment.Ref) bool { return s.whole().Has(ref) }

// refs yields the set's members in order of timeline, then of id.
func (s *refSet) refs() iter.Seq[segment.Ref] {
	return func(yield func(segment.Ref) bool) {
		for _, r := range s.normal() {
			for ref := range r.All() {
				if !yield(ref) {
					return
				}
			}
		}
	}
}

// len returns how many the set holds.
func (s *refSet) len() int { return s.whole().Len() }

// minus returns what s holds and o does not.
func (s *refSet) minus(o *refSet) *refSet { return &refSet{set: s.whole().Minus(o.whole())} }

// and returns what both hold.
func (s *refSet) and(o *refSet) *refSet { return s.minus(s.minus(o)) }

// meets reports whether both hold some segment.
func (s *refSet) meets(o *refSet) bool { return s.and(o).len() > 0 }
