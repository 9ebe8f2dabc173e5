// Package inplace looks up single keys, and scans ranges, in an archive without restoring it.
// It fetches tables and objects by range, and verifies each. To read an archive as a store,
// use history.Plan.FS; to have the store on disk, use package restore.
//
// The invariant: an answer is what the store of the plan would answer, or an error. A segment
// whose bounds are not known is searched. A damaged segment is never treated as one without the
// key: an older value would be a wrong answer.
package inplace
