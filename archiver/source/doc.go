// Package source is a store's folder, as shipping, backup and audit read it: which segments are
// sealed, which logs are not, what the newest state is made of, whether the store would open. It
// only reads, through an fs.FS, and works beside a writer, so it cannot harm a store. It keeps what
// the headers say in a file in the folder of receipts, so that each segment file is opened only
// once.
//
// The invariant: what it says of a file was read from that very file, or the file is known to be
// as it was (name, size, time, inode). It checks headers and nothing more: the user of a segment
// verifies it.
package source
