// Package backup makes and verifies backups: manifests that pin the segments of a store's newest sealed
// state. It ships nothing: package archiver does, before.
//
// The invariant: a backup is written only if every segment of it has a receipt and is listed in the
// archive, so that one that is there can be restored.
package backup
