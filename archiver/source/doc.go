// Package source is the folder of a store as those who ship, back up and audit read it: which
// segments are sealed, which logs are not, what the newest state is made of, whether the store
// would open. It only reads, through an fs.FS, and works beside a writer, so it cannot harm a
// store. What a header says is noted beside the receipts, so that a file is opened once.
//
// The invariant: what it tells of a file it has read from that very file, or knows that the file
// is as it was (name, size, time, inode). It judges no damage beyond a header; whoever needs a
// segment verifies it.
package source
