package index

import "math/bits"

// stretch is how many prefixes stand in two cache lines.
const stretch = 16

// lowerBound returns the first of ascending prefixes that is not below p. It
// counts instead of halving: first every sixteenth prefix, then those of one
// stretch. Pages are in a near cache, where no load is as dear as a branch that
// was guessed wrong.
func lowerBound(a []uint64, p uint64) int {
	base := 0
	for i := stretch - 1; i < len(a); i += stretch {
		base += below(a[i], p)
	}
	base *= stretch
	count := base
	for _, q := range a[base:min(base+stretch, len(a))] {
		count += below(q, p)
	}
	return count
}

// below is 1 if a < b, else 0, without a branch.
func below(a, b uint64) int {
	_, borrow := bits.Sub64(a, b, 0)
	return int(borrow)
}
