// Package segment is varve's format: how records become the bytes of a
// segment file, and how those bytes become records again.
//
// A segment is header · records · footer. A record is never split across segments, a sealed segment
// is never changed, and every record proves by its checksums that it stands where it was written:
// in this store, on this timeline, in this segment, at this offset. Whatever is lost or damaged in
// one segment therefore cannot make another one unreadable, and a stale, moved or misdirected
// record fails its checksum, so that no reader accepts it. That is the whole argument on which
// recovery stands.
//
// A log says of itself how far it is known to be on the disk: see [Record.Vouch]. So bytes that
// fail their checksum are damage below the newest such mark, and above it the end of a write that
// was cut off and never acknowledged.
//
// A log that was rolled is sealed: [Reader.Seal] builds its footer, and
// [Reader.OpenFooter] reads it, so that a key is found, and all keys are listed,
// without a walk over the records. [Dump] and [Describe] show people what is in
// a file, damage included.
//
// The package knows no paths, locks, goroutines or logging. It reads from an [io.ReaderAt] and
// writes into byte slices. It never panics on input, and allocates no memory for a length that it
// has read before it has checked that the length fits in the file.
//
// The format is drawn in format.go, and specified in docs/format.md.
package segment
