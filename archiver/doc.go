// Package archiver ships each sealed segment of a store to one or more targets,
// exactly once, and brings a store back from there, as it was at any moment.
//
// A sealed segment never changes, so one object per segment is a whole backup:
// nothing is stored twice, nothing is overwritten, and what a backup adds is a
// list of segments that are there already. That is the whole argument on which
// incremental backups, point-in-time restore, hot copies and audits stand.
//
// Exactly once is two rules. An object is created only where there is none of its
// name, which the target itself decides (target.Target.Put). And a receipt is written
// on the store's side when, and only when, the object is known to be durable. A
// lost answer is resolved by asking what is there. So the archiver may be killed
// anywhere: no segment is missing, none is there twice, none was overwritten.
//
// What is shipped was verified as it was read, so that damage never reaches an
// archive; what is restored is verified before it is used.
//
// The package never writes into a store's folder, but for receipts and the
// request to seal; segments it reads through an fs.FS. It does not open the
// store: what only a writer can do is passed in (Sealer).
package archiver
