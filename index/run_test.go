package index

import (
	"fmt"
	"slices"
	"testing"
)

// TestARunKnowsItsKeys asks every item of every run for its own key and for those
// of the items around it, with keys that share long prefixes and keys that tie.
func TestARunKnowsItsKeys(t *testing.T) {
	sets := map[string]func(i int) string{
		"short":    func(i int) string { return fmt.Sprintf("%04d", i) },
		"shared":   func(i int) string { return fmt.Sprintf("https://example.org/some/long/path/%011d", i) },
		"very":     func(i int) string { return fmt.Sprintf("%0120d", i) },
		"tied":     func(i int) string { return fmt.Sprintf("a%03d", i/8) + "\x00\x00\x00\x00\x00\x00\x00\x00"[:i%8] },
		"tied far": func(i int) string { return fmt.Sprintf("%03d-12345678-%d", i/100, i%100) },
	}
	for name, key := range sets {
		t.Run(name, func(t *testing.T) {
			x := New()
			var all []string
			for i := range 1000 {
				all = append(all, key(i))
				x.Put([]byte(key(i)), Loc{Offset: int64(i)})
			}
			slices.Sort(all)
			s := x.Snapshot()
			defer s.Close()
			for _, reverse := range []bool{false, true} {
				at := 0
				for r := range s.Leaves(nil, nil, reverse) {
					for r.Len() > 0 { // its parts are runs as well
						n := min(r.Len(), 17)
						p := r.Part(0, n)
						for i := range p.Len() {
							j := at
							if reverse {
								j = len(all) - 1 - at
							}
							at++
							for k := max(j-9, 0); k < min(j+10, len(all)); k++ {
								if got := p.Is(i, []byte(all[k])); got != (k == j) {
									t.Fatalf("reverse %v: item %q is %q: %v", reverse, all[j], all[k], got)
								}
							}
						}
						r = r.Part(n, r.Len())
					}
				}
				if at != len(all) {
					t.Fatalf("%d items of %d", at, len(all))
				}
			}
		})
	}
}
