// Package s3 is the archiver's target in a bucket of Amazon S3, or of a server
// that speaks its protocol.
//
// The invariant: an object is made by one conditional PUT that states its SHA-256, so that the
// server itself creates it only where there is none and refuses content that was damaged on the
// way. There are no parts and no retries: the result of a PUT is known, or the error says that
// it is unknown, and the archiver asks. Probe finds a server that ignores the condition or the
// hash, before anything is lost.
//
// The hash is known before the first byte is sent, so an object is read once, as it
// is sent, in bounded memory. Credentials come from where the AWS tools look for
// them (environment, profile, role of the machine), never from a URL or a flag.
//
// In a bucket that keeps versions, Delete hides an object and the bucket's own
// rules decide when it goes. Directory buckets do not list in order, and are
// refused by List.
package s3
