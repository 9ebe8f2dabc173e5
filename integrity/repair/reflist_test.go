package repair

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/varve-db/varve/segment"
)

// TestRefListFindsWhatASearchThroughAllFinds: also in an empty list, and with several timelines.
func TestRefListFindsWhatASearchThroughAllFinds(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{0, 1, 2, 3, 100, 5000} {
		var list refList
		for len(list) < n {
			list = append(list, segment.Ref{Timeline: segment.Timeline(1 + rng.IntN(3)), ID: segment.ID(1 + rng.IntN(n))})
		}
		slices.SortFunc(list, segment.Ref.Compare)
		for range 50 {
			ref := segment.Ref{Timeline: segment.Timeline(rng.IntN(5)), ID: segment.ID(rng.IntN(n + 2))}
			if list.has(ref) != slices.Contains(list, ref) {
				t.Fatalf("seed 1: %v of %d", ref, n)
			}
			var want refList
			for _, r := range list {
				if r.ID == ref.ID {
					want = append(want, r)
				}
			}
			if got := list.ofID(ref.ID); !slices.Equal(got, want) {
				t.Fatalf("seed 1: of id %v of %d: %v; want %v", ref.ID, n, got, want)
			}
		}
	}
}
