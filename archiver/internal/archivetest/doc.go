// Package archivetest is for tests. It has the life of a real store whose state is known at
// every moment, a target in memory to ship it to, and a forger of segments that no writer
// makes yet.
package archivetest
