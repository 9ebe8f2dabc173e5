// Package prune decides what an archive need not keep, and deletes it. Nothing else deletes
// segments from an archive. Policy says what is given up. A prune has two phases with a grace
// between them, and can explain what becomes of each segment.
//
// The invariant: nothing is deleted that a backup, a running restore, a point in the window or the
// newest state of a tip needs, and nothing that cannot be read. Each deletion is written down
// before it begins, and the pins are read once more after that. So either prune sees a pin and
// spares the segment, or the one who pins sees that the deletion has begun and is refused.
package prune
