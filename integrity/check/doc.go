// Package check goes over a whole store, past whatever is wrong with it, and reports findings:
// what is damaged, which keys and sequence numbers are touched, since when, and what has to be
// done.
//
// Package integrity decides what is damage, with the same code as for an open; check only collects
// and reports. It heals nothing.
//
// The invariant: a finding is one problem, named once. If a check finds nothing at a level, an open
// at that level finds nothing, and a store without findings at level Full has no byte that is not
// what was written.
package check
