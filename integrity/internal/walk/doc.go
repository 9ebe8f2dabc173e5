// Package walk goes over the records of one segment past damage. It is the only code that does:
// diagnosis, repair and salvage are its callers, so that all three see the same records and the
// same gaps.
//
// It does not judge what a gap means, and it is not for sound segments: those are read by
// segment.Reader.Records.
//
// The invariant: a record that it yields checks in all parts, and every byte between two such
// records is in one [Gap]. So nothing is passed over in silence.
package walk
