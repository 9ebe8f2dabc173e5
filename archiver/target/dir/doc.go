// Package dir is a target in a folder: each object a file, each slash a folder. It asks of the
// file system what POSIX promises, over NFS too.
//
// The invariant: an object is visible only when it is durable and whole. It is written under a
// temporary name, synced, judged and then linked to its name, and of those who link to one name
// one wins. It does not retry and knows no segments.
package dir
