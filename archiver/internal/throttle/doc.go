// Package throttle bounds how many bytes are read in a second. It knows no targets. The invariant:
// all readers of one limiter share its rate, so the rate bounds all uploads together.
package throttle
