package segment

import (
	"errors"
	"fmt"
	"hash/crc32"
)

// A witness stands in a store's lock file, behind the bytes that say who holds the lock.
//
//	witness          offset  size
//	                      0     8  magic "varvewit"
//	                      8     2  version, 1
//	                     10     6  reserved
//	                     16    16  UUID of the store
//	                     32     8  timeline of the log
//	                     40     8  id of the log
//	                     48     8  offset up to which it was on the disk
//	                     56     8  last sequence number below that
//	                     64     8  time of the close, ns since 1970 UTC
//	                     72     8  time of the log file's last change, likewise (zero: not known)
//	                     80     4  reserved
//	                     84     4  CRC-32C of all before
const (
	WitnessOffset = 4096 // in the lock file
	WitnessSize   = 88

	witnessMagic   = "varvewit"
	witnessVersion = 1
)

// Witness says how a store's newest log was closed. It stands in another file than the
// log, and so in another sector, and is written after the last sync of the close.
type Witness struct {
	UUID    UUID
	Ref     Ref    // the newest log at the close
	Offset  int64  // it was on the disk up to here, where its close records begin
	LastSeq uint64 // of the store
	Time    int64  // of the close, in nanoseconds since 1970, UTC
	Changed int64  // when the log's file was last changed, likewise; zero: not known
}

// Began reports whether w proves that a log of a store was begun: it, or a later one of its
// timeline, was closed. A nil w proves nothing.
func (w *Witness) Began(store UUID, log Ref) bool {
	return w != nil && w.UUID == store && w.Ref.Timeline == log.Timeline && w.Ref.ID >= log.ID
}

// Vouched returns the offset up to which w says that a log was on the disk; zero: it says
// nothing of that log. W may be nil.
func (w *Witness) Vouched(log *Head) int64 {
	if w == nil || w.UUID != log.UUID || w.Ref != log.Ref {
		return 0
	}
	return w.Offset
}

// Append appends the WitnessSize bytes of w to dst.
func (w *Witness) Append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, witnessMagic...)
	dst = le.AppendUint16(dst, witnessVersion)
	dst = append(dst, make([]byte, 6)...)
	dst = append(dst, w.UUID[:]...)
	dst = le.AppendUint64(dst, uint64(w.Ref.Timeline))
	dst = le.AppendUint64(dst, uint64(w.Ref.ID))
	dst = le.AppendUint64(dst, uint64(w.Offset))
	dst = le.AppendUint64(dst, w.LastSeq)
	dst = le.AppendUint64(dst, uint64(w.Time))
	dst = le.AppendUint64(dst, uint64(w.Changed))
	dst = le.AppendUint32(dst, 0)
	return le.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// ParseWitness parses the WitnessSize bytes of a witness. All zeros are no witness: nil
// and no error. The error wraps ErrVersion for a version of later programs, and else says
// that the bytes are none of a witness.
func ParseWitness(b []byte) (*Witness, error) {
	if len(b) != WitnessSize {
		return nil, fmt.Errorf("witness of %d bytes, not %d", len(b), WitnessSize)
	}
	if [WitnessSize]byte(b) == [WitnessSize]byte{} {
		return nil, nil
	}
	if crc32.Checksum(b[:WitnessSize-4], castagnoli) != le.Uint32(b[WitnessSize-4:]) {
		return nil, errors.New("witness: checksum")
	}
	if v := le.Uint16(b[8:]); v != witnessVersion && string(b[:8]) == witnessMagic {
		return nil, fmt.Errorf("witness of version %d: %w", v, ErrVersion)
	}
	w := &Witness{
		UUID:    UUID(b[16:32]),
		Ref:     Ref{Timeline(le.Uint64(b[32:])), ID(le.Uint64(b[40:]))},
		Offset:  int64(le.Uint64(b[48:])),
		LastSeq: le.Uint64(b[56:]),
		Time:    int64(le.Uint64(b[64:])),
		Changed: int64(le.Uint64(b[72:])),
	}
	if w.Offset < 0 || [WitnessSize]byte(w.Append(nil)) != [WitnessSize]byte(b) {
		return nil, errors.New("witness: a field out of range")
	}
	return w, nil
}
