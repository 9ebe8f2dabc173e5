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
	// was known to be on the disk before the record was written.
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

// ValueOffset is where the value begins in the file.
func (r *Record) ValueOffset() int64 { return r.Offset + r.Size - r.ValueSize }

// HeadSize is what the record takes without its value.
func (r *Record) HeadSize() int64 { return r.Size - r.ValueSize }

// CheckValue reports whether the bytes of Value are those that were written.
func (r *Record) CheckValue() bool {
	return crc32.Update(r.start, castagnoli, r.Value) == r.valueCRC
}

// Place is what ties the records of a segment to it.
type Place struct {
	seed  uint32
	First uint64 // the header's first sequence number
}

// Place returns what AppendRecord and ParseHead need to know of the segment.
func (h *Header) Place() Place {
	var b [32]byte
	copy(b[:], h.UUID[:])
	le.PutUint64(b[16:], uint64(h.Ref.Timeline))
	le.PutUint64(b[24:], uint64(h.Ref.ID))
	return Place{crc32.Checksum(b[:], castagnoli), h.FirstSeq}
}

// at is what the CRCs of a record, block or trailer at an offset begin with.
func (p Place) at(off int64) uint32 {
	return p.seed ^ uint32(off) ^ uint32(off>>32)
}

// RecordSize returns what AppendRecord will append for r, without its own
// limits being checked: see [Record.Check].
func (p Place) RecordSize(r *Record) int64 {
	n := recordFixed + len(r.Key) + len(r.Meta) + len(r.Slots) + len(r.Value)
	if (r.Seq-p.First)>>32 != 0 {
		n += wideSize
	}
	if r.Flags&FlagCommit != 0 {
		n += timeSize
	}
	if r.Flags&FlagVouch != 0 {
		n += vouchSize
	}
	if r.Expiry != 0 {
		n += expirySize
	}
	if len(r.Meta) > 0 {
		n += lengthSize
	}
	if len(r.Slots) > 0 {
		n += lengthSize
	}
	return int64(n)
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

// AppendRecord appends the bytes of r as they stand at offset off of the
// segment. r must pass Check.
func (p Place) AppendRecord(dst []byte, off int64, r *Record) []byte {
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
		dst = le.AppendUint32(dst, uint32(off-r.Vouch))
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

// ErrShort is returned by ParseHead when the bytes end before the head does.
var ErrShort = fmt.Errorf("segment: record head cut off")

// HeadSize returns the length that the first bytes of a record give for the
// record without its value, and for the value. The lengths are not proven
// until ParseHead has checked them. It needs recordFixed bytes and says ErrShort
// where that is too few.
func HeadSize(b []byte) (head, value int64, err error) {
	if len(b) < recordFixed {
		return 0, 0, ErrShort
	}
	flags := Flags(b[9])
	n := optionalSize(flags)
	if len(b) < n {
		return int64(n), 0, ErrShort
	}
	total := n + int(le.Uint16(b[10:]))
	if flags&FlagSlots != 0 {
		total += int(le.Uint16(b[n-lengthSize:]))
		n -= lengthSize
	}
	if flags&FlagMeta != 0 {
		total += int(le.Uint16(b[n-lengthSize:]))
	}
	return int64(total), int64(le.Uint32(b[12:])), nil
}

// optionalSize is the fixed part of a record with the optional fields that the
// flags announce.
func optionalSize(f Flags) int {
	return recordFixed + int(f&flagWide)/int(flagWide)*wideSize +
		int(f&FlagCommit)/int(FlagCommit)*timeSize +
		int(f&FlagVouch)/int(FlagVouch)*vouchSize +
		int(f&FlagExpiry)/int(FlagExpiry)*expirySize +
		int(f&FlagMeta)/int(FlagMeta)*lengthSize +
		int(f&FlagSlots)/int(FlagSlots)*lengthSize
}

// ParseHead reads the record that stands at offset off of the segment from b,
// all but its value, and checks its first CRC. The result's Value is nil. ErrShort
// means that b ends too early; any other error is a *CorruptError.
func (p Place) ParseHead(b []byte, off int64, r *Record) error {
	head, value, err := HeadSize(b)
	if err != nil {
		return err
	}
	if int64(len(b)) < head {
		return ErrShort
	}
	from := p.at(off)
	if crc32.Update(from, castagnoli, b[4:head]) != le.Uint32(b) {
		return corrupt(off, "record checksum")
	}
	flags, n := Flags(b[9]), recordFixed
	*r = Record{
		Offset: off, Size: head + value, Kind: RecordKind(b[8]), Flags: flags,
		Seq: uint64(le.Uint32(b[16:])), ValueSize: value, valueCRC: le.Uint32(b[4:]), start: from,
	}
	if flags&flagWide != 0 {
		high := le.Uint32(b[n:])
		n += wideSize
		if high == 0 {
			return corrupt(off, "sequence number is not canonical")
		}
		r.Seq |= uint64(high) << 32
	}
	if r.Seq += p.First; r.Seq < p.First {
		return corrupt(off, "sequence number out of range")
	}
	if flags&FlagCommit != 0 {
		r.Time = int64(le.Uint64(b[n:]))
		n += timeSize
	}
	if flags&FlagVouch != 0 {
		r.Vouch = off - int64(le.Uint32(b[n:]))
		n += vouchSize
	}
	if flags&FlagExpiry != 0 {
		r.Expiry = int64(le.Uint64(b[n:]))
		n += expirySize
	}
	var meta, slots int
	if flags&FlagMeta != 0 {
		meta = int(le.Uint16(b[n:]))
		n += lengthSize
	}
	if flags&FlagSlots != 0 {
		slots = int(le.Uint16(b[n:]))
		n += lengthSize
	}
	k := n + int(le.Uint16(b[10:]))
	r.Key, r.Meta, r.Slots = b[n:k:k], b[k:k+meta:k+meta], b[k+meta:head:head]
	return r.checkForm(meta, slots)
}

// ofPut are the flags that only a put has.
const ofPut = FlagMeta | FlagSlots | FlagExpiry | FlagMsgpack

// checkForm refuses a head that no writer writes.
func (r *Record) checkForm(meta, slots int) error {
	f := r.Flags
	bad := f&flagReserved != 0 || r.Vouch < 0 || r.ValueSize > MaxValue ||
		(f&FlagMeta != 0) != (meta > 0) || (f&FlagSlots != 0) != (slots > 0) ||
		(f&FlagExpiry != 0) != (r.Expiry != 0) || !validSlots(r.Slots)
	switch r.Kind {
	case Put:
		bad = bad || len(r.Key) == 0
	case Delete:
		bad = bad || len(r.Key) == 0 || f&ofPut != 0 || r.ValueSize != 0
	case Edit:
		bad = bad || f&ofPut != 0 || len(r.Key) != 0 || f&FlagCommit == 0
	case Mark:
		bad = bad || r.badControl(0)
	case End:
		bad = bad || r.badControl(endValueSize)
	case Close:
		bad = bad || r.badControl(closeValueSize)
	default:
		bad = true
	}
	if bad {
		return corrupt(r.Offset, "record of an impossible form")
	}
	return nil
}

// badControl reports whether a mark, end or close has another form than it must.
func (r *Record) badControl(value int64) bool {
	return r.Flags&^flagWide != FlagCommit|FlagVouch || len(r.Key) != 0 || r.ValueSize != value
}

// ParseRecord reads the whole record at the beginning of b and checks both of
// its CRCs. Errors are those of ParseHead.
func (p Place) ParseRecord(b []byte, off int64, r *Record) error {
	if err := p.ParseHead(b, off, r); err != nil {
		return err
	}
	if int64(len(b)) < r.Size {
		return ErrShort
	}
	r.Value = b[r.Size-r.ValueSize : r.Size : r.Size]
	if !r.CheckValue() {
		return r.badValue()
	}
	return nil
}

// badValue is the failure of CheckValue: it names what is at stake.
func (r *Record) badValue() error {
	e := corrupt(r.Offset, "value checksum")
	if r.Kind.Data() {
		e.Keys, e.FirstSeq, e.LastSeq = [][]byte{append([]byte(nil), r.Key...)}, r.Seq, r.Seq
	}
	return e
}

// SetVouch writes another mark into the encoded record at the beginning of b,
// which must have FlagVouch, and gives the record its CRC again. So the first
// record of a write can be encoded before it is known how far the log is synced.
func (p Place) SetVouch(b []byte, off, vouch int64) {
	flags := Flags(b[9])
	n := recordFixed + int(flags&flagWide)/int(flagWide)*wideSize + int(flags&FlagCommit)/int(FlagCommit)*timeSize
	le.PutUint32(b[n:], uint32(off-vouch))
	head, _, _ := HeadSize(b)
	le.PutUint32(b, crc32.Update(p.at(off), castagnoli, b[4:head]))
}
