// Package inplace looks up single keys, and scans ranges, in an archive without restoring it: tables
// and objects are fetched by range, and each is verified. To read an archive as a store, use
// history.Plan.FS; to have one, restore.
//
// The invariant: an answer is that of the plan's store, or an error. A segment whose bounds cannot be
// known is asked; a damaged one is never taken for one without the key.
package inplace
