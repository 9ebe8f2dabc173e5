// Package archivesim is for tests. It has a target in memory with a clock, and a writer that
// makes up timelines of segments faster than a store would.
package archivesim
