package archiver

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/varve-db/varve/segment"
)

// The names in an archive:
//
//	varve-archive.json                     the identity of the target, made once
//	varve-reserve                          room for a prune of a full target
//	<uuid>/<timeline>/<id>.seg             a sealed segment, byte for byte
//	<uuid>/<timeline>/<id>.gone            what says why a segment was deleted, by prune
//	<uuid>/<timeline>/<id>.gap             a segment that is missing, accepted, with the reason
//	<uuid>/backups/<id>.json               a backup: a pin on segments
//	<uuid>/backups/<id>.gone               a backup that was deleted; its id is not used again
//	<uuid>/prune/<id>.json                 the first phase of a prune: what the second may delete; or tips that are given up
//	<uuid>/prune/<id>.wait                 the second phase of that has not begun
//	<uuid>/heartbeat/<n>.json              up to when all of a timeline is archived
//	<uuid>/restores/<id>.json              a restore that runs, and pins what it reads
//
// Ids of segments have 20 decimal digits, as in the store's folder, timelines
// 16 hexadecimal ones. No hash is in a name, so that different content under
// one id collides and is found.
const identityName = segment.ArchiveName

// segmentName returns the name of a segment's object.
func segmentName(store segment.UUID, ref segment.Ref) string {
	return refName(store, ref, "seg")
}

// refName returns the name of an object that is about a segment.
func refName(store segment.UUID, ref segment.Ref, ext string) string {
	return fmt.Sprintf("%v/%v/%v.%s", store, ref.Timeline, ref.ID, ext)
}

// parseRefName is the inverse of refName.
func parseRefName(name string) (store segment.UUID, ref segment.Ref, ext string, ok bool) {
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
	return store, ref, ext, refName(store, ref, ext) == name
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
