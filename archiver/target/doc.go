// Package target is the contract of the places that segments are shipped to: a flat space of
// objects by name, each created only where no object has its name. It says which names there
// may be, how a URL names a target, which archive a target is (its identity), how long an
// attempt may take and how often it is repeated.
//
// It knows nothing of what the objects mean: that is for package archive. The targets
// themselves are in dir and s3; targettest checks that an implementation keeps the contract.
//
// The invariant: no object is ever overwritten, since the target itself decides who creates
// it. Because of that a segment is stored exactly once, whatever was cut off.
package target
