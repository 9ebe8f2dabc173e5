// Package integrity decides how far the disk is to be trusted: what the files in a store's
// folder are, what they amount to, and whether bytes that do not check are torn or damaged.
// The store, the archiver and the three packages below this one ask it, so that no two of
// them can disagree.
//
//   - [Survey] lists the folder and reads every header. [Inventory.Resolve] finds the newest
//     log, the segments that it says the store is made of, and how the log ends.
//   - [Judge] reads a log that a crash may have cut off. It does not guess whether the first
//     bytes that do not check are a torn write or damage: the writer leaves marks in the
//     log that say how far it was known to be on the disk (segment.Record.Vouch). What
//     lies below the newest sound mark was durable, and must be sound. After a close in
//     order the lock file says the same from outside the log: see witness.go.
//   - [VerifySealed] finds every byte of a sealed segment that is not what its seal wrote,
//     in one pass over the file. A sealed segment has no end that could be torn.
//
// The invariant: acknowledged bytes that are damaged are never taken for a torn write. They
// are a *segment.CorruptError, and nothing is touched. If it were otherwise, an open could
// cut off what a caller was told is safe. One case cannot be decided: damage in what was
// written after the newest mark looks like a torn write. An idle store writes a mark within
// 50 ms of its last sync, so that this window is short. See docs/integrity.md.
//
// The package changes nothing on the disk, but for [WriteWitness]. It goes over no whole store,
// heals nothing and saves nothing: these are the jobs of the packages check, repair and
// salvage, which build on this one and do not import each other.
package integrity
