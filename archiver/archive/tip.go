package archive

import "github.com/varve-db/varve/segment"

// Tip is a history in the archive that is not the store's own: a copy that was written to, or
// what a restore to an earlier point left behind.
type Tip struct {
	Timeline segment.Timeline `json:"timeline"`
	First    segment.ID       `json:"first"` // of its segments that are not on the store's chain
	Last     segment.ID       `json:"last"`
	Segments int              `json:"segments"`
	Bytes    int64            `json:"bytes"`
}

// Add counts a segment of the tip.
func (t *Tip) Add(x Stored) {
	if t.Segments == 0 || x.Ref.ID < t.First {
		t.First = x.Ref.ID
	}
	t.Last = max(t.Last, x.Ref.ID)
	t.Segments++
	t.Bytes += x.Size
}
