package archiver

import (
	"cmp"
	"fmt"
	"iter"
	"slices"

	"github.com/varve-db/varve/segment"
)

// Run stands for segments of one timeline with consecutive ids. A store of 100,000
// segments is a handful of runs, so what pins them stays small.
type Run struct {
	Timeline segment.Timeline `json:"timeline"`
	First    segment.ID       `json:"first"`
	Count    uint64           `json:"count"`
}

// String returns timeline/first–last.
func (r Run) String() string {
	if r.Count == 1 {
		return segment.Ref{Timeline: r.Timeline, ID: r.First}.String()
	}
	return fmt.Sprintf("%v/%v–%v", r.Timeline, r.First, r.last())
}

func (r Run) last() segment.ID { return r.First + segment.ID(r.Count) - 1 }

// maxRunRefs bounds what the runs of one object stand for: what a live set may
// hold, so that a run cannot make a program take all memory.
const maxRunRefs = 1 << 22

// checkRuns returns an error unless runs are what a refSet returns.
func checkRuns(runs []Run) error {
	var total uint64
	for i, r := range runs {
		total += r.Count
		if r.Timeline == 0 || r.First == 0 || r.Count == 0 || r.Count > maxRunRefs || total > maxRunRefs || r.last() < r.First {
			return fmt.Errorf("run %d of segments, %v with %d, cannot be", i, segment.Ref{Timeline: r.Timeline, ID: r.First}, r.Count)
		}
		if i > 0 && (runOrder(runs[i-1], r) >= 0 || runs[i-1].Timeline == r.Timeline && runs[i-1].last()+1 >= r.First) {
			return fmt.Errorf("run %d of segments, %v, is out of order", i, r)
		}
	}
	return nil
}

// runOrder orders runs by timeline, then by id.
func runOrder(a, b Run) int {
	return cmp.Or(cmp.Compare(a.Timeline, b.Timeline), cmp.Compare(a.First, b.First))
}

// refSet is a set of segments that is kept as runs, so that the union of a
// thousand backups of 100,000 segments each costs what their runs cost. It may
// be read from several goroutines once it was normalized.
type refSet struct {
	added []Run // in any order, overlapping
	runs  []Run // in order, apart from each other, of all that was added before
}

// setOf returns the set of refs.
func setOf(refs []segment.Ref) *refSet {
	s := &refSet{}
	s.addRefs(refs)
	return s
}

// setOfRuns returns the set of runs.
func setOfRuns(runs []Run) *refSet { return &refSet{added: slices.Clone(runs)} }

// addRefs adds refs. It is quick for refs in order.
func (s *refSet) addRefs(refs []segment.Ref) {
	for _, r := range refs {
		if n := len(s.added); n > 0 && s.added[n-1].Timeline == r.Timeline && s.added[n-1].last()+1 == r.ID {
			s.added[n-1].Count++
			continue
		}
		s.added = append(s.added, Run{r.Timeline, r.ID, 1})
	}
}

// addRuns adds runs.
func (s *refSet) addRuns(runs []Run) { s.added = append(s.added, runs...) }

// addAll adds what another set holds.
func (s *refSet) addAll(o *refSet) { s.addRuns(o.normal()) }

// normal returns the set as runs in order of timeline, then of id, as few as can
// be. They belong to the set.
func (s *refSet) normal() []Run {
	if len(s.added) == 0 {
		return s.runs
	}
	all := slices.Concat(s.runs, s.added)
	slices.SortFunc(all, runOrder)
	merged := all[:0]
	for _, r := range all {
		n := len(merged)
		if n == 0 || merged[n-1].Timeline != r.Timeline || merged[n-1].last()+1 < r.First {
			merged = append(merged, r)
			continue
		}
		last := max(merged[n-1].last(), r.last())
		merged[n-1].Count = uint64(last-merged[n-1].First) + 1
	}
	s.runs, s.added = merged, nil
	return s.runs
}

// has reports whether the set holds ref.
func (s *refSet) has(ref segment.Ref) bool {
	runs := s.normal()
	i, found := slices.BinarySearchFunc(runs, Run{ref.Timeline, ref.ID, 1}, runOrder)
	return found || i > 0 && runs[i-1].Timeline == ref.Timeline && ref.ID <= runs[i-1].last()
}

// refs yields the set's members in order of timeline, then of id.
func (s *refSet) refs() iter.Seq[segment.Ref] {
	return func(yield func(segment.Ref) bool) {
		for _, r := range s.normal() {
			for i := range r.Count {
				if !yield(segment.Ref{Timeline: r.Timeline, ID: r.First + segment.ID(i)}) {
					return
				}
			}
		}
	}
}

// len returns how many the set holds.
func (s *refSet) len() (n int) {
	for _, r := range s.normal() {
		n += int(r.Count)
	}
	return n
}

// minus returns what s holds and o does not. It costs what the runs cost.
func (s *refSet) minus(o *refSet) *refSet {
	d := &refSet{}
	cut := o.normal()
	for _, r := range s.normal() {
		i, _ := slices.BinarySearchFunc(cut, r, runOrder)
		if i > 0 && cut[i-1].Timeline == r.Timeline {
			i--
		}
		for first := r.First; first <= r.last(); i++ {
			if i == len(cut) || cut[i].Timeline != r.Timeline || cut[i].First > r.last() {
				d.added = append(d.added, Run{r.Timeline, first, uint64(r.last()-first) + 1})
				break
			}
			if cut[i].First > first {
				d.added = append(d.added, Run{r.Timeline, first, uint64(cut[i].First - first)})
			}
			first = max(first, cut[i].last()+1)
		}
	}
	return d
}
