// Package salvage reads all that can be read of a store that cannot be healed, and says exactly
// what cannot be read.
//
// It changes nothing, and writes no store: the caller receives the objects. It goes by the sets
// of segments and the judgements of package integrity.
//
// The invariant: each sequence number that the store gave out is found or is in the list of
// losses, as far as that can be known, and an old value is never taken for the current one. A
// key whose newest version is known to be lost is not among the objects; one whose newest version
// may be lost is marked. Otherwise a salvaged store would silently go back in time.
package salvage
