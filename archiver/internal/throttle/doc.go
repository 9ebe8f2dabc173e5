// Package throttle bounds how many bytes are read in a second. It knows no targets. The
// invariant: all readers of one limiter share its rate, so Rate bounds an archiver, not a single
// upload.
package throttle
