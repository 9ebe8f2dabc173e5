package repair

import (
	"slices"

	"github.com/varve-db/varve/segment"
)

// refList is segments in order of Ref.Compare.
type refList []segment.Ref

// has reports whether a segment is in the list.
func (l refList) has(ref segment.Ref) bool {
	_, found := slices.BinarySearchFunc(l, ref, segment.Ref.Compare)
	return found
}

// ofID returns the segments that have an id, one on each timeline.
func (l refList) ofID(id segment.ID) refList {
	i, _ := slices.BinarySearchFunc(l, segment.Ref{ID: id}, segment.Ref.Compare)
	n := i
	for n < len(l) && l[n].ID == id {
		n++
	}
	return l[i:n]
}
