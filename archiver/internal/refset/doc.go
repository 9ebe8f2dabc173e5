// Package refset has sets of segments that grow, and the digest over a set of them that a backup
// holds. Sets are runs of ids, so that what a set costs does not grow with its segments.
package refset
