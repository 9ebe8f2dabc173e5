package segment

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	le = binary.LittleEndian
	be = binary.BigEndian // for comparing, not for writing
)

// UUID names a store. Every segment of the store, and of its copies, bears it.
type UUID [16]byte

// String returns the usual form, 8-4-4-4-12.
func (u UUID) String() string {
	s := hex.EncodeToString(u[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// Timeline names one unbroken history of a store: a random number, not zero.
type Timeline uint64

// String returns 16 hexadecimal digits.
func (t Timeline) String() string { return fmt.Sprintf("%016x", uint64(t)) }

// MarshalText is String, for JSON.
func (t Timeline) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// MarshalText is String, for JSON.
func (u UUID) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// ID numbers the segments of a store. An id is not zero and never used again.
type ID uint64

// String returns 20 decimal digits, so that names sort as numbers.
func (id ID) String() string { return fmt.Sprintf("%020d", uint64(id)) }

// Ref names a segment of a store.
type Ref struct {
	Timeline Timeline
	ID       ID
}

// String returns timeline/id.
func (r Ref) String() string { return r.Timeline.String() + "/" + r.ID.String() }

// MarshalText is String, for JSON.
func (r Ref) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Compare orders by id, then by timeline.
func (r Ref) Compare(o Ref) int {
	return cmp.Or(cmp.Compare(r.ID, o.ID), cmp.Compare(r.Timeline, o.Timeline))
}

// Kind says how a segment came to be.
type Kind uint8

// A Log was written by commits, an Output by compaction.
const (
	Log    Kind = 1
	Output Kind = 2
)

// String returns "log" or "output".
func (k Kind) String() string {
	switch k {
	case Log:
		return "log"
	case Output:
		return "output"
	}
	return "invalid"
}

// Head is what stands in a header before its sets: all of it that does not grow with
// the store.
type Head struct {
	Kind     Kind
	UUID     UUID
	Ref      Ref
	FirstSeq uint64 // of the first put or delete; in an output, the least
	Time     int64  // of creation, ns since 1970 UTC

	// Of a log only. Parent and ParentSeq name where the timeline began: the
	// last log of the parent timeline and the last sequence number taken over.
	// Every log of a timeline repeats them. Replaced is the unfinished log
	// whose records this one holds instead, in the first log of a timeline.
	Parent    Ref
	ParentSeq uint64
	Replaced  Ref
	NextID    ID // no segment of the store has this id or a greater one, this log's successor apart
}

// Header is the first part of a segment. To keep the headers of many segments, keep their
// Head: the sets of all logs together grow with the square of the segments where each
// crash began a timeline.
type Header struct {
	Head

	// Of a log only.
	Live    Set // the segments of the store at this moment, without this one
	Retired Set // segments no longer of the store whose files may still be there
}

// Check returns an error if no reader would accept the header.
func (h *Header) Check() error {
	if err := h.check(); err != nil {
		return err
	}
	if !h.Live.valid() || !h.Retired.valid() {
		return fmt.Errorf("header of %v: a set that cannot be", h.Ref)
	}
	if live, retired := h.Live.Len(), h.Retired.Len(); live > maxRefs || retired > maxRefs || h.size() > MaxHeader {
		return fmt.Errorf("header of %v: %d and %d segments: %w", h.Ref, live, retired, ErrTooLarge)
	}
	return nil
}

func (h *Head) check() error {
	if h.Kind != Log && h.Kind != Output || h.Ref.ID == 0 || h.Ref.Timeline == 0 || h.FirstSeq == 0 {
		return fmt.Errorf("header of %v %v from sequence number %d: a field out of range", h.Kind, h.Ref, h.FirstSeq)
	}
	return nil
}

func (h *Header) size() int {
	return headerFixed + runSize*(len(h.Live.ordered())+len(h.Retired.ordered())) + crcSize
}

// Append appends the header's bytes to dst.
func (h *Header) Append(dst []byte) []byte {
	live, retired := h.Live.ordered(), h.Retired.ordered()
	start := len(dst)
	n := headerFixed + runSize*(len(live)+len(retired)) + crcSize
	dst = append(dst, headerMagic...)
	dst = le.AppendUint16(dst, Version)
	dst = append(dst, byte(h.Kind), 0)
	dst = le.AppendUint32(dst, uint32(n))
	dst = append(dst, h.UUID[:]...)
	dst = appendRef(dst, h.Ref)
	dst = le.AppendUint64(dst, h.FirstSeq)
	dst = le.AppendUint64(dst, uint64(h.Time))
	dst = appendRef(dst, h.Parent)
	dst = le.AppendUint64(dst, h.ParentSeq)
	dst = appendRef(dst, h.Replaced)
	dst = le.AppendUint64(dst, uint64(h.NextID))
	dst = le.AppendUint32(dst, uint32(len(live)))
	dst = le.AppendUint32(dst, uint32(len(retired)))
	dst = appendSet(dst, live)
	dst = appendSet(dst, retired)
	return le.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

func appendRef(dst []byte, r Ref) []byte {
	dst = le.AppendUint64(dst, uint64(r.Timeline))
	return le.AppendUint64(dst, uint64(r.ID))
}

func parseRef(b []byte) Ref {
	return Ref{Timeline(le.Uint64(b)), ID(le.Uint64(b[8:]))}
}

// isSet reports whether the refs of an edit are in order, none of them zero or there twice.
func isSet(refs []Ref) bool {
	for i, r := range refs {
		if r.ID == 0 || r.Timeline == 0 || i > 0 && refs[i-1].Compare(r) >= 0 {
			return false
		}
	}
	return true
}

// HeaderSize returns the length that the first bytes of a file give for its
// header, so that a caller knows how much to read: b needs 16 bytes. The
// length is bounded by MaxHeader and not proven until ParseHeader has checked
// it; that of a version other than this one least of all. Errors are those of
// ParseHeader.
func HeaderSize(b []byte) (int, error) {
	if len(b) < 16 || string(b[:8]) != headerMagic {
		return 0, corrupt(0, "no segment header")
	}
	n := int(le.Uint32(b[12:]))
	if n < headerFixed+crcSize || n > MaxHeader || (n-headerFixed-crcSize)%runSize != 0 {
		if err := checkVersion(le.Uint16(b[8:]), 8, false); err != nil {
			return 0, err
		}
		return 0, corrupt(12, "header length %d", n)
	}
	return n, nil
}

// checkVersion tells a newer format from one that never was, and from this one
// with a damaged version: ours says that the checksum holds if the version is
// put back to ours, which it does for no header or trailer of another version.
func checkVersion(v uint16, off int64, ours bool) error {
	switch {
	case v == Version:
		return nil
	case ours:
		return corrupt(off, "format version %d, with the checksum of version %d: the number is damaged", v, Version)
	case v > Version:
		return fmt.Errorf("format version %d: %w", v, ErrVersion)
	}
	return corrupt(off, "format version %d", v)
}

// ours reports whether a header's checksum holds with this format's version in it,
// whichever it has.
func ours(b []byte) bool {
	sum := crc32.Checksum(b[:8], castagnoli)
	sum = crc32.Update(sum, castagnoli, le.AppendUint16(nil, Version))
	end := len(b) - crcSize
	return crc32.Update(sum, castagnoli, b[10:end]) == le.Uint32(b[end:])
}

// parseFixed reads the fields before the sets.
func parseFixed(b []byte) Head {
	return Head{
		Kind: Kind(b[10]), UUID: UUID(b[16:32]), Ref: parseRef(b[32:]),
		FirstSeq: le.Uint64(b[48:]), Time: int64(le.Uint64(b[56:])),
		Parent: parseRef(b[64:]), ParentSeq: le.Uint64(b[80:]), Replaced: parseRef(b[88:]),
		NextID: ID(le.Uint64(b[104:])),
	}
}

// ParseHeader reads the header at the beginning of b and returns its length.
// The error is a *CorruptError, or wraps ErrVersion. A greater version is damage,
// and not ErrVersion, if the checksum holds with this format's in its place.
func ParseHeader(b []byte) (*Header, int, error) {
	n, err := HeaderSize(b)
	if err != nil {
		return nil, 0, err
	}
	whole := n <= len(b)
	b = b[:min(n, len(b))]
	intact := whole && ours(b)
	if err := checkVersion(le.Uint16(b[8:]), 8, intact); err != nil {
		return nil, 0, err
	}
	if !whole {
		return nil, 0, corrupt(12, "header of %d bytes in a file of %d", n, len(b))
	}
	if !intact {
		return nil, 0, corrupt(0, "header checksum")
	}
	h := &Header{Head: parseFixed(b)}
	live, retired := int(le.Uint32(b[112:])), int(le.Uint32(b[116:]))
	if b[11] != 0 || (live+retired)*runSize != n-headerFixed-crcSize {
		return nil, 0, corrupt(11, "header fields disagree")
	}
	if err := h.check(); err != nil {
		return nil, 0, corrupt(0, "%v", err)
	}
	rest := b[headerFixed:]
	if h.Live, err = parseSet(rest[:live*runSize]); err == nil {
		h.Retired, err = parseSet(rest[live*runSize : (live+retired)*runSize])
	}
	if err != nil {
		return nil, 0, err
	}
	return h, n, nil
}
