// Package prune decides what an archive need not keep, and deletes it. Its Policy says what is given
// up. It works in two phases with a grace between them, and explains each segment.
//
// The invariant: nothing is deleted that a backup, a running restore, a point in the window or the
// newest state of a tip needs, nor what cannot be read. Each deletion is written down before it
// begins, and the pins are read once more after that; so whoever relies on a segment is seen, or
// sees that it is too late.
package prune
