// Package injured lays a small store by hand, record by record, for tests, and has a list of the
// injuries that can happen to it. The store holds one of everything that the format has. It does
// not use package store, so that its bytes are the same at each run.
package injured
