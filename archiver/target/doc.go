// Package target is the contract of what segments are shipped to: a flat space of objects by
// name, each created only where there is none of its name. It says what names there may be, how
// a target is named by a URL, which archive a target is (its identity), how long an attempt may
// take and how often it is made again.
//
// It knows nothing of what the objects mean: that is for package archive. The targets
// themselves are in dir and s3; targettest holds an implementation to the contract.
//
// The invariant: no object is ever overwritten, since the target itself decides who creates
// it. On that alone rests that a segment is stored exactly once, whatever was cut off.
package target
