// Package archiver ships each sealed segment of a store to one or more targets, exactly once.
// It knows how far each target is, and raises alarms. It does nothing else: package backup
// names states, history and restore bring them back, prune deletes, audit proves.
//
// A sealed segment never changes, so one object per segment is a whole backup. Nothing is
// stored twice and nothing is overwritten; a backup only adds a list of segments that are
// there already. Incremental backups, point-in-time restore, hot copies and audits all rest on
// this.
//
// The invariant is exactly once. It takes two rules. First, an object is created only where no
// object has its name; the target itself decides that (target.Target.Put). Second, a receipt is
// written on the store's side when, and only when, the object is known to be durable. If an
// answer is lost, the archiver asks what is there. So it may be killed anywhere: no segment is
// missing, none is there twice, none was overwritten.
//
// What is shipped was verified as it was read, so damage never reaches an archive.
//
// The package writes nothing into a store's folder but receipts and its state. It reads segments
// through an fs.FS. It does not open the store: what only a writer can do is passed in
// (Sealer, Barrier); package store/sealer has both.
package archiver
