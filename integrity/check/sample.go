package check

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Confidence says what reading some of the segments whole, chosen at random, and
// finding nothing in them says about all.
type Confidence struct {
	Read        int     `json:"read"`        // segments that were read whole
	Of          int     `json:"of"`          // segments that there are
	Probability float64 `json:"probability"` // with which damage would have been met
	Share       float64 `json:"share"`       // if at least this share of the segments had some
}

// String says it in words.
func (c Confidence) String() string {
	switch {
	case c.Of == 0:
		return "there is no sealed segment"
	case c.Of == 1 && c.Read == 1:
		return "1 of 1 sealed segments was read whole"
	case c.Read == c.Of:
		return fmt.Sprintf("all %d sealed segments were read whole", c.Of)
	}
	s := fmt.Sprintf("%d of %d sealed segments were read whole; damage in %.2g %% of them or more", c.Read, c.Of, 100*c.Share)
	if c.Share >= 1 {
		s = fmt.Sprintf("%d of %d sealed segments were read whole; damage in all of them", c.Read, c.Of)
	}
	return s + fmt.Sprintf(" would have been met with a probability of %g %%", 100*c.Probability)
}

// certainty is the probability that a Confidence is stated for.
const certainty = 0.95

// confidenceOf returns what n of total segments without a finding prove. It finds the least number
// k of damaged segments that a draw of n would miss entirely with a probability of at most 5 %. That
// probability is (total−k over n) / (total over n).
func confidenceOf(n, total int) Confidence {
	c := Confidence{Read: n, Of: total, Probability: certainty, Share: 1}
	miss := 1.0
	for k := range total {
		if miss *= float64(total-n-k) / float64(total-k); miss <= 1-certainty {
			c.Share = float64(k+1) / float64(total)
			break
		}
	}
	return c
}

// draw chooses a share of n, rounded up, at random by seed, in order.
func draw(n int, share float64, seed uint64) []int {
	all := rand.New(rand.NewPCG(seed, 0)).Perm(n)
	// A share of a hundredth less a rounding error is meant as a hundredth.
	all = all[:min(n, int(math.Ceil(float64(n)*share-1e-9)))]
	slices.Sort(all)
	return all
}
