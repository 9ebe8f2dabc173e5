// Package archive knows what lies in an archive, and under which names: segments, markers,
// backups, pins, plans of prunes, heartbeats. It lists, reads and writes these objects, one at
// a time. What they mean together is for other packages: history plans points, prune decides
// what may go, audit what must be there.
//
// The invariant: backups, pins and prune plans decide which segments are kept. Each is a manifest:
// a JSON object with its own checksum. One that cannot be read stops every deletion. So damage and
// newer formats never cost a segment.
package archive
