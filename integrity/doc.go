// Package integrity decides how far the disk is to be trusted.
//
// Its heart is [Judge], which reads a log that may have been cut off by a crash
// and says which of two things the first bytes that do not check are: the torn
// end of a write that was never acknowledged, or damage to bytes that were. It
// does not guess. The writer leaves marks in the log that say how far it was
// known to be on the disk (segment.Record.Vouch); what lies below the newest
// mark that is itself sound was durable, and must be sound. After a close in order the
// lock file says the same from outside the log: see witness.go for what follows from it.
//
// What nobody can decide is said in docs/integrity.md: damage in what was
// written after the newest mark looks like a torn write. An idle store writes a
// mark within 50 ms of its last sync, so that this window is short.
//
// A sealed segment has no end that could be torn: [VerifySealed] finds every byte of
// it that is not what its seal wrote, in one pass over the file. [Look] and
// [Survey.Stand] find out what the files of a folder amount to, and [Check] puts
// all of it together: it goes over a whole store, past whatever it finds, and reports
// findings that name what is touched, since when, and what has to be done.
//
// [Repair] heals what can be healed, by a plan that is judged before a byte is written,
// and [Salvage] reads what can be read of the rest, and lists what cannot. But for Repair
// the package changes nothing on disk.
package integrity
