// Package archivesim is for tests. It has a target in memory with a clock, and a writer that makes
// timelines of segments faster than a store would. Its segments are made up; for the history of a
// real store there is archivetest. The invariant: names of objects are spelled out here a second
// time, so that a test notices a change of the layout.
package archivesim
