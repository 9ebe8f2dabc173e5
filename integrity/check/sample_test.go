package check

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// TestConfidenceIsHypergeometric holds the least share to the probability of
// missing it, worked out another way.
func TestConfidenceIsHypergeometric(t *testing.T) {
	choose := func(n, k int) float64 {
		if k < 0 || k > n {
			return 0
		}
		a, _ := math.Lgamma(float64(n + 1))
		b, _ := math.Lgamma(float64(k + 1))
		c, _ := math.Lgamma(float64(n - k + 1))
		return math.Exp(a - b - c)
	}
	for _, c := range []struct{ n, of int }{{1, 1}, {1, 2}, {5, 100}, {50, 1000}, {10, 10}, {59, 10000}, {0, 5}, {0, 0}, {19, 20}} {
		got := confidenceOf(c.n, c.of)
		k := int(math.Round(got.Share * float64(c.of)))
		miss := func(k int) float64 { return choose(c.of-k, c.n) / choose(c.of, c.n) }
		sure := c.of > 0 && miss(k) <= 0.05+1e-9
		if c.of > 0 && !sure && got.Share < 1 || k > 1 && miss(k-1) <= 0.05-1e-9 {
			t.Errorf("%d of %d: %+v; with %d damaged all are missed with %g, with one less with %g", c.n, c.of, got, k, miss(k), miss(k-1))
		}
		if got.String() == "" || strings.Contains(got.String(), "NaN") {
			t.Errorf("%s", got)
		}
	}
	// Known from tables: 59 of very many show 5 % of damage with 95 %.
	if c := confidenceOf(59, 1_000_000); c.Share > 0.0500 || c.Share < 0.049 {
		t.Errorf("%+v", c)
	}
}

func TestADrawIsFairAndKnownByItsSeed(t *testing.T) {
	var hits [20]int
	for seed := range uint64(2000) {
		got := draw(20, 0.25, seed)
		if len(got) != 5 || !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != 5 || !slices.Equal(got, draw(20, 0.25, seed)) {
			t.Fatalf("seed %d: %v", seed, got)
		}
		for _, i := range got {
			hits[i]++
		}
	}
	for i, n := range hits {
		if n < 350 || n > 650 {
			t.Errorf("segment %d was drawn %d times of 2000, due are 500", i, n)
		}
	}
	for _, c := range []struct {
		n     int
		share float64
		want  int
	}{{0, 1, 0}, {1, 0.01, 1}, {100, 0.05, 5}, {101, 0.05, 6}, {3, 1, 3}} {
		if got := draw(c.n, c.share, 1); len(got) != c.want {
			t.Errorf("%v of %d: %d are drawn, want %d", c.share, c.n, len(got), c.want)
		}
	}
}
