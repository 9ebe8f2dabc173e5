package archivesim

import (
	"slices"
	"testing"

	"github.com/varve-db/varve/segment"
)

// Refs returns refs of a timeline.
func Refs(line segment.Timeline, ids ...segment.ID) (refs []segment.Ref) {
	for _, id := range ids {
		refs = append(refs, segment.Ref{Timeline: line, ID: id})
	}
	return refs
}

// EqualRefs compares two sets of segments.
func EqualRefs(t *testing.T, what string, got, want []segment.Ref) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// SortedRefs returns refs in order.
func SortedRefs(refs []segment.Ref) []segment.Ref {
	return slices.Compact(slices.SortedFunc(slices.Values(refs), segment.Ref.Compare))
}

// LessRefs returns refs without some.
func LessRefs(refs, gone []segment.Ref) []segment.Ref {
	return slices.DeleteFunc(slices.Clone(refs), func(r segment.Ref) bool { return slices.Contains(gone, r) })
}
