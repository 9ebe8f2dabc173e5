// Package archive knows what lies in an archive and by which name: segments, markers, backups,
// pins, plans of prunes, heartbeats. It lists, reads and writes these objects, one at a time. What
// they mean together is for others: history plans points, prune decides what may go, audit what
// must be there.
//
// The invariant: what decides whether segments are kept is a manifest that proves itself whole,
// and one that cannot be understood stops whoever would delete something. So damage and newer
// formats never cost a segment.
package archive
