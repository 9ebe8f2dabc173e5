// Package store is varve's database: objects under keys, in logs of write-once
// segments, with an ordered index in memory.
//
// A [DB] is one folder, one writing process, and any number of goroutines. An
// object is appended to the newest log; a log that reaches the size of a
// segment is sealed in the background and never changed again. The logs are the
// only truth: the index is rebuilt from them by [Open].
//
// # What survives what
//
// With SyncAlways, the default, an object is on the disk when Put returns, and survives the end of
// the process, of the system and of the power. Writers that come together share one fdatasync.
// Nobody reads an object before it is on the disk. With SyncEvery(d) Put returns at once, and a
// crash of the process, the system or the power loses at most what was put within d; what remains
// is always a prefix of what was written, and batches are whole.
//
// [Open] tells the torn end of a write from damage to what was acknowledged, by
// proof (package integrity). The first it cuts off, by copying the log, never
// by editing it; the second is a *CorruptError, and nothing is touched. Every
// read checks the record it returns.
//
// # Slices
//
// Keys, values and meta that go in are copied before the call returns. Get and
// GetObject return memory of the caller's. Scan and Read lend: the Object is good for
// one step of the iteration, or until the callback returns.
package store
