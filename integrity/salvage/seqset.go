package salvage

import (
	"cmp"
	"math"
	"slices"
)

// seqs is sequence numbers from first to last.
type seqs struct{ first, last uint64 }

// seqSet is a set of sequence numbers. Numbers that come in order take no room.
type seqSet struct {
	list   []seqs
	sorted bool
}

// add adds the numbers from first to last.
func (s *seqSet) add(first, last uint64) {
	if n := len(s.list); n > 0 && s.list[n-1].first <= first && first <= s.list[n-1].last+1 && s.list[n-1].last != math.MaxUint64 {
		s.list[n-1].last = max(s.list[n-1].last, last)
		return
	}
	s.list, s.sorted = append(s.list, seqs{first, last}), false
}

// ranges returns the set as ranges in order. No two of them touch.
func (s *seqSet) ranges() []seqs {
	if s.sorted {
		return s.list
	}
	slices.SortFunc(s.list, func(a, b seqs) int { return cmp.Compare(a.first, b.first) })
	out := s.list[:0]
	for _, r := range s.list {
		if n := len(out); n > 0 && (out[n-1].last == math.MaxUint64 || r.first <= out[n-1].last+1) {
			out[n-1].last = max(out[n-1].last, r.last)
		} else {
			out = append(out, r)
		}
	}
	s.list, s.sorted = out, true
	return out
}

// without returns the numbers of r that are not in the set, as ranges in order.
func (s *seqSet) without(r seqs) (out []seqs) {
	list := s.ranges()
	i, _ := slices.BinarySearchFunc(list, r.first, func(x seqs, n uint64) int {
		if x.last < n {
			return -1
		}
		return 1
	})
	for ; i < len(list) && list[i].first <= r.last; i++ {
		if list[i].first > r.first {
			out = append(out, seqs{r.first, list[i].first - 1})
		}
		if list[i].last >= r.last {
			return out
		}
		r.first = list[i].last + 1
	}
	return append(out, r)
}

// count returns how many numbers are in the set.
func (s *seqSet) count() (n uint64) {
	for _, r := range s.ranges() {
		n += r.last - r.first + 1
	}
	return n
}
