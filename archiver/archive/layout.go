package archive

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/varve-db/varve/segment"
)

// SegmentName returns the name of a segment's object.
func SegmentName(store segment.UUID, ref segment.Ref) string {
	return RefName(store, ref, "seg")
}

// RefName returns the name of an object that is about a segment.
func RefName(store segment.UUID, ref segment.Ref, ext string) string {
	return fmt.Sprintf("%v/%v/%v.%s", store, ref.Timeline, ref.ID, ext)
}

// ParseRefName is the inverse of RefName.
func ParseRefName(name string) (store segment.UUID, ref segment.Ref, ext string, ok bool) {
	parts := strings.Split(name, "/")
	if len(parts) != 3 {
		return store, ref, "", false
	}
	base, ext, _ := strings.Cut(parts[2], ".")
	store, ok = parseUUID(parts[0])
	timeline, err1 := strconv.ParseUint(parts[1], 16, 64)
	id, err2 := strconv.ParseUint(base, 10, 64)
	if !ok || err1 != nil || err2 != nil {
		return store, ref, "", false
	}
	ref = segment.Ref{Timeline: segment.Timeline(timeline), ID: segment.ID(id)}
	return store, ref, ext, RefName(store, ref, ext) == name
}

// parseUUID is the inverse of segment.UUID.String.
func parseUUID(s string) (u segment.UUID, ok bool) {
	err := u.UnmarshalText([]byte(s))
	return u, err == nil
}

// parseTimeline is the inverse of segment.Timeline.String.
func parseTimeline(s string) (t segment.Timeline, ok bool) {
	err := t.UnmarshalText([]byte(s))
	return t, err == nil
}
