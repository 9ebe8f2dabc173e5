// Package sealer has the log of a store sealed from outside of its writer: it asks the process that
// has the store open for writing, and opens the store itself where there is none.
//
// It is for programs that run an archiver beside a store that they do not write to: a Sealer is an
// archiver.Sealer and an archiver.Barrier. A program that has the *store.DB at hand calls
// DB.Seal.
//
// The invariant: when Seal returns, what had been committed before the call is in a sealed segment.
// The answer to a request does not say which request it is for, so the log is looked at again after
// each answer.
package sealer
