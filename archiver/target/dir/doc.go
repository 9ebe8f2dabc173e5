// Package dir is a target in a folder: each object is a file, each slash a folder. It relies only
// on what POSIX promises, so it works over NFS, too.
//
// The invariant: an object is visible only when it is durable and whole. It is written under a
// temporary name, synced, checked and then linked to its name. Of several links to one name, one
// succeeds. The package makes no second attempts, and knows no segments.
package dir
