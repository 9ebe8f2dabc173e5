package segment

import (
	"errors"
	"hash/crc32"
)

// ErrShort is returned by ParseHead when the bytes end before the head does.
var ErrShort = errors.New("segment: record head cut off")

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
	n := recordFixed + int(f&FlagCommit)/int(FlagCommit)*timeSize
	if f&^(FlagCommit|FlagMsgpack) == 0 {
		return n
	}
	return n + int(f&flagWide)/int(flagWide)*wideSize +
		int(f&FlagVouch)/int(FlagVouch)*vouchSize +
		int(f&FlagExpiry)/int(FlagExpiry)*expirySize +
		int(f&FlagMeta)/int(FlagMeta)*lengthSize +
		int(f&FlagSlots)/int(FlagSlots)*lengthSize
}

// ParseHead reads the record that stands at offset off of the segment from b,
// all but its value, and checks its first CRC. The result's Value is nil. ErrShort
// means that b ends too early; any other error is a *CorruptError.
func (p ChecksumSeed) ParseHead(b []byte, off int64, r *Record) error {
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
	flags := Flags(b[9])
	r.Offset, r.Size, r.Kind, r.Flags = off, head+value, RecordKind(b[8]), flags
	r.Seq, r.Time, r.Vouch, r.Expiry = uint64(le.Uint32(b[16:])), 0, 0, 0
	r.Meta, r.Slots, r.Value, r.ValueSize = nil, nil, nil, value
	r.valueCRC, r.start = le.Uint32(b[4:]), from
	n := recordFixed
	if flags&^(FlagCommit|FlagMsgpack) != 0 {
		return p.parseFields(b[:head:head], r)
	}
	if flags&FlagCommit != 0 {
		r.Time = int64(le.Uint64(b[n:]))
		n += timeSize
	}
	if r.Seq += p.First; r.Seq < p.First {
		return corrupt(off, "sequence number out of range")
	}
	r.Key = b[n:head:head]
	return r.checkForm()
}

// parseFields goes on with a head that has fields which most do not have.
func (p ChecksumSeed) parseFields(b []byte, r *Record) error {
	flags, n := r.Flags, recordFixed
	if flags&flagWide != 0 {
		high := le.Uint32(b[n:])
		n += wideSize
		if high == 0 {
			return corrupt(r.Offset, "sequence number is not canonical")
		}
		r.Seq |= uint64(high) << 32
	}
	if r.Seq += p.First; r.Seq < p.First {
		return corrupt(r.Offset, "sequence number out of range")
	}
	if flags&FlagCommit != 0 {
		r.Time = int64(le.Uint64(b[n:]))
		n += timeSize
	}
	if flags&FlagVouch != 0 {
		back := int64(le.Uint32(b[n:]))
		if r.Vouch = r.Offset - back; back == tooFar {
			r.Vouch = min(r.Vouch, 0)
		}
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
	r.Key, r.Meta, r.Slots = b[n:k:k], b[k:k+meta:k+meta], b[k+meta:]
	if (flags&FlagMeta != 0) != (meta > 0) || (flags&FlagSlots != 0) != (slots > 0) {
		return corrupt(r.Offset, "record of an impossible form")
	}
	return r.checkForm()
}

// ofPut are the flags that only a put has.
const ofPut = FlagMeta | FlagSlots | FlagExpiry | FlagMsgpack

// checkForm refuses a head that no writer writes.
func (r *Record) checkForm() error {
	f := r.Flags
	bad := f&flagReserved != 0 || r.Vouch < 0 || r.ValueSize > MaxValue ||
		(f&FlagExpiry != 0) != (r.Expiry != 0) || len(r.Slots) > 0 && !validSlots(r.Slots)
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
func (p ChecksumSeed) ParseRecord(b []byte, off int64, r *Record) error {
	if err := p.ParseHead(b, off, r); err != nil {
		return err
	}
	if int64(len(b)) < r.Size {
		return ErrShort
	}
	r.Value = b[r.Size-r.ValueSize : r.Size : r.Size]
	if !r.checkValue() {
		return r.badValue()
	}
	return nil
}

// badValue is the failure of checkValue: it names what is at stake.
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
func (p ChecksumSeed) SetVouch(b []byte, off, vouch int64) {
	flags := Flags(b[9])
	n := recordFixed + int(flags&flagWide)/int(flagWide)*wideSize + int(flags&FlagCommit)/int(FlagCommit)*timeSize
	le.PutUint32(b[n:], backTo(vouch, off))
	head, _, _ := HeadSize(b)
	le.PutUint32(b, crc32.Update(p.at(off), castagnoli, b[4:head]))
}
