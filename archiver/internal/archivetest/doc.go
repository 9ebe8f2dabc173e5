// Package archivetest is for tests: the life of a real store whose every moment is known, a target
// in memory to ship it to, and a forger of segments that no writer makes yet.
package archivetest
