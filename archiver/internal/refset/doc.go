// Package refset has sets of segments that grow, and the digest of a set that a backup holds.
// Sets are runs of ids, so the cost of a set does not grow with its segments.
package refset
