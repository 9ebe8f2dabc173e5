// Package backup makes and verifies backups: manifests that pin the segments of a store's newest
// sealed state. It ships nothing: package archiver does that first. It restores nothing: package
// restore does.
//
// The invariant: a backup is written only if each of its segments has a receipt and is listed in
// the archive. So a backup can be restored at the moment it is made; Verify tells whether it still
// can.
package backup
