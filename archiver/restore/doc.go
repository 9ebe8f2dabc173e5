// Package restore brings a store to the state of a plan: into an absent or empty folder, or
// onto an older copy, which it freshens. It makes no plans (history does), and does not read
// single objects (inplace does).
//
// The invariant: every byte is verified before a file gets its name, and one rename of the last
// log turns the folder into the restored store. So a restore may be cut off anywhere: the folder
// then opens as it did before, or as the restored store.
package restore
