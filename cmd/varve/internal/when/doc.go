// Package when reads times and durations as people type them. Every flag that takes one is read
// here, so that all understand the same.
package when
