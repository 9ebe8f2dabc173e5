// Package parallel runs many requests at once. It repeats none. The invariant: the first error
// ends all of them, and Each returns only when all have ended, so nothing runs on behind its
// caller.
package parallel
