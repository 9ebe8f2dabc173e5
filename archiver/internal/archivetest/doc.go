// Package archivetest is for tests. Life is a real store whose state is known at every commit,
// Vault a target in memory to ship it to, Forger a maker of segments that no writer makes yet.
// It tests nothing by itself. The invariant: the model beside a Life is written by the test,
// never read from the store, so a fault of the store shows.
package archivetest
