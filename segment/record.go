package segment

import (
	"fmt"
	"hash/crc32"
)

// Record is one record of a segment. The byte slices of a parsed record lie in
// the bytes it was parsed from.
type Record struct {
	Offset int64 // in the file
	Size   int64 // of the whole record in bytes

	Kind  RecordKind
	Flags Flags // FlagMeta, FlagSlots, FlagExpiry and the width of Seq are set by AppendRecord as the fields demand

	// Seq is the sequence number of a put or a delete. Another record bears the
	// number that the next one gets.
	Seq uint64

	// Time is the commit time, ns since 1970 UTC, of a record with FlagCommit.
	Time int64

	// Vouch, of a record with FlagVouch, is the offset up to which the segment
	// was known to be on the disk before the record was written. One that is
	// 4 GiB − 1 or more before the record is written, and read, as zero.
	Vouch int64

	Expiry int64 // ns since 1970 UTC; zero: never
	Key    []byte
	Meta   []byte // msgpack
	Slots  []byte // see Slot

	// ValueSize is the length of the value, Value its bytes: ParseHead leaves
	// Value nil.
	ValueSize int64
	Value     []byte

	valueCRC uint32
	start    uint32 // what both CRCs begin with
}

// Commit reports whether the record ends a batch.
func (r *Record) Commit() bool { return r.Flags&FlagCommit != 0 }

// Vouches reports whether the record says how far the log is on the disk.
func (r *Record) Vouches() bool { return r.Flags&FlagVouch != 0 }

// valueOffset is where the value begins in the file.
func (r *Record) valueOffset() int64 { return r.Offset + r.Size - r.ValueSize }

// HeadSize is what the record takes without its value.
func (r *Record) HeadSize() int64 { return r.Size - r.ValueSize }

// checkValue reports whether the bytes of Value are those that were written.
func (r *Record) checkValue() bool {
	return crc32.Update(r.start, castagnoli, r.Value) == r.valueCRC
}

// ChecksumSeed is what ties the records of a segment to it.
type ChecksumSeed struct {
	crc   uint32
	First uint64 // the header's first sequence number
}

// ChecksumSeed returns what AppendRecord and ParseHead need to know of the segment.
func (h *Head) ChecksumSeed() ChecksumSeed {
	var b [32]byte
	copy(b[:], h.UUID[:])
	le.PutUint64(b[16:], uint64(h.Ref.Timeline))
	le.PutUint64(b[24:], uint64(h.Ref.ID))
	return ChecksumSeed{crc32.Checksum(b[:], castagnoli), h.FirstSeq}
}

// at is what the CRCs of a record, block or trailer at an offset begin with.
func (p ChecksumSeed) at(off int64) uint32 {
	return p.crc ^ uint32(off) ^ uint32(off>>32)
}

// Check returns an error that wraps ErrTooLarge, or another one for an empty
// key, slots out of order or a delete that holds something, if the format cannot
// hold r.
func (r *Record) Check() error {
	switch {
	case len(r.Key) == 0 && r.Kind.Data():
		return fmt.Errorf("empty key: a key has 1 to %d bytes", MaxKey)
	case len(r.Key) > MaxKey:
		return fmt.Errorf("key of %d bytes: %w: the most is %d", len(r.Key), ErrTooLarge, MaxKey)
	case len(r.Value) > MaxValue:
		return fmt.Errorf("key %q: value of %d bytes: %w: the most is %d", shorten(r.Key), len(r.Value), ErrTooLarge, MaxValue)
	case len(r.Meta) > MaxMeta:
		return fmt.Errorf("key %q: meta of %d bytes: %w: the most is %d", shorten(r.Key), len(r.Meta), ErrTooLarge, MaxMeta)
	case len(r.Slots) > MaxSlots:
		return fmt.Errorf("key %q: slots of %d bytes: %w: the most is %d", shorten(r.Key), len(r.Slots), ErrTooLarge, MaxSlots)
	case !validSlots(r.Slots):
		return fmt.Errorf("key %q: slots that AppendSlots did not write", shorten(r.Key))
	case r.Kind == Delete && len(r.Value)+len(r.Meta)+len(r.Slots) > 0,
		r.Kind == Delete && (r.Expiry != 0 || r.Flags&FlagMsgpack != 0):
		return fmt.Errorf("key %q: a delete holds nothing but its key", shorten(r.Key))
	}
	return nil
}

// tooFar, as the distance from a record back to what it vouches for, says that
// the distance is as large or larger: the record vouches for nothing.
const tooFar = 1<<32 - 1

// backTo is how the offset vouched for is written in a record at offset off.
func backTo(vouch, off int64) uint32 { return uint32(min(off-vouch, tooFar)) }

// AppendRecord appends the bytes of r as they stand at offset off of the
// segment. r must pass Check.
func (p ChecksumSeed) AppendRecord(dst []byte, off int64, r *Record) []byte {
	flags, seq := r.Flags&(FlagCommit|FlagVouch|FlagMsgpack), r.Seq-p.First
	start := len(dst)
	dst = append(dst, make([]byte, recordFixed)...)
	if seq>>32 != 0 {
		flags |= flagWide
		dst = le.AppendUint32(dst, uint32(seq>>32))
	}
	if flags&FlagCommit != 0 {
		dst = le.AppendUint64(dst, uint64(r.Time))
	}
	if flags&FlagVouch != 0 {
		dst = le.AppendUint32(dst, backTo(r.Vouch, off))
	}
	if r.Expiry != 0 {
		flags |= FlagExpiry
		dst = le.AppendUint64(dst, uint64(r.Expiry))
	}
	if len(r.Meta) > 0 {
		flags |= FlagMeta
		dst = le.AppendUint16(dst, uint16(len(r.Meta)))
	}
	if len(r.Slots) > 0 {
		flags |= FlagSlots
		dst = le.AppendUint16(dst, uint16(len(r.Slots)))
	}
	dst = append(dst, r.Key...)
	dst = append(dst, r.Meta...)
	dst = append(dst, r.Slots...)
	head := len(dst)
	dst = append(dst, r.Value...)

	b, from := dst[start:], p.at(off)
	le.PutUint32(b[4:], crc32.Update(from, castagnoli, dst[head:]))
	b[8], b[9] = byte(r.Kind), byte(flags)
	le.PutUint16(b[10:], uint16(len(r.Key)))
	le.PutUint32(b[12:], uint32(len(r.Value)))
	le.PutUint32(b[16:], uint32(seq))
	le.PutUint32(b, crc32.Update(from, castagnoli, b[4:head-start]))
	return dst
}
