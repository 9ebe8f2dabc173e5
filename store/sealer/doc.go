// Package sealer has the log of a store sealed from outside of its writer: it asks the process that
// has the store open for writing, and opens the store itself where there is none.
//
// It is for programs that run an archiver beside a store, whoever writes to it: a Sealer is an
// archiver.Sealer and an archiver.Barrier. A program that has the *store.DB at hand calls
// DB.Seal.
//
// The invariant: a request is answered for what had been committed before it was made. The
// writer takes no notice of when it was made, so a request is asked again where another one's answer
// may have been taken for its own.
package sealer
