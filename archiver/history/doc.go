// Package history reads the timelines of an archive as one tree, and plans points: At says
// which segments, and which part of a log, make up a store at a moment, a sequence number or a
// backup. Plan.FS shows a plan as the folder of a store: it is the one way to read an archive
// as a store.
//
// It changes nothing, and fetches only headers, footers and heads of records.
//
// The invariant: a plan is complete, or the error names what is missing. A hole in the archive
// is never passed over in silence: an older state is given only to a caller who asks for it,
// and the plan says so.
package history
