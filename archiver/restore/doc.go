// Package restore brings a store to the state of a plan: into an absent or empty folder, or onto
// an older copy, which it freshens. It plans nothing (history does), and reads nothing for its own
// sake (inplace does).
//
// The invariant: every byte is verified before anything gets its name, and one rename of the last log
// makes the store what it becomes. So a restore may be cut off anywhere: the folder holds what it
// held, or all of the new.
package restore
