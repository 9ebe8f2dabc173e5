// Package history reads the timelines of an archive as one tree, and plans points: which segments,
// and which part of a log, make up a store at a moment, a sequence number or a backup. Plan.FS is a
// plan as the folder of a store: the one way to read an archive as a store.
//
// It changes nothing, and fetches headers, footers and heads of records only.
//
// The invariant: a plan is complete, or the error names what is missing. A hole in the archive is
// never passed over: an older state is given only to a caller who asks for it, and the plan says so.
package history
