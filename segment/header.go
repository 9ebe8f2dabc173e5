package segment

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"slices"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var le = binary.LittleEndian

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

// Compare orders by id, then by timeline.
func (r Ref) Compare(o Ref) int {
	switch {
	case r.ID != o.ID:
		return cmp(r.ID, o.ID)
	default:
		return cmp(r.Timeline, o.Timeline)
	}
}

func cmp[T ~uint64](a, b T) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
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

// Header is the first part of a segment.
type Header struct {
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
	NextID    ID    // no segment of the store has this id or a greater one, this log's successor apart
	Live      []Ref // the segments of the store at this moment, without this one, in order of Ref.Compare
	Retired   []Ref // segments no longer of the store whose files may still be there, likewise
}

// run is how a list of Refs is written: consecutive ids of one timeline.
type run struct {
	timeline Timeline
	first    ID
	count    uint32
}

func runs(refs []Ref) []run {
	var out []run
	for _, r := range refs {
		if n := len(out); n > 0 {
			last := &out[n-1]
			if last.timeline == r.Timeline && last.first+ID(last.count) == r.ID && last.count < 1<<32-1 {
				last.count++
				continue
			}
		}
		out = append(out, run{r.Timeline, r.ID, 1})
	}
	return out
}

// Append appends the header's bytes to dst. It panics if Live or Retired are
// out of order, which is a bug of the caller.
func (h *Header) Append(dst []byte) []byte {
	live, retired := runs(h.Live), runs(h.Retired)
	if !sorted(h.Live) || !sorted(h.Retired) {
		panic("segment: header with an unsorted set")
	}
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
	for _, r := range append(live, retired...) {
		dst = le.AppendUint64(dst, uint64(r.timeline))
		dst = le.AppendUint64(dst, uint64(r.first))
		dst = le.AppendUint32(dst, r.count)
	}
	return le.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

func appendRef(dst []byte, r Ref) []byte {
	dst = le.AppendUint64(dst, uint64(r.Timeline))
	return le.AppendUint64(dst, uint64(r.ID))
}

func parseRef(b []byte) Ref {
	return Ref{Timeline(le.Uint64(b)), ID(le.Uint64(b[8:]))}
}

func sorted(refs []Ref) bool {
	return slices.IsSortedFunc(refs, Ref.Compare)
}

// HeaderSize returns the length that the first bytes of a file give for its
// header, so that a caller knows how much to read: b needs 16 bytes. The
// length is bounded by MaxHeader and not proven until ParseHeader has checked
// it. Errors are those of ParseHeader.
func HeaderSize(b []byte) (int, error) {
	if len(b) < 16 || string(b[:8]) != headerMagic {
		return 0, corrupt(0, "no segment header")
	}
	if v := le.Uint16(b[8:]); v > Version {
		return 0, fmt.Errorf("format version %d: %w", v, ErrVersion)
	} else if v != Version {
		return 0, corrupt(8, "format version %d", v)
	}
	n := int(le.Uint32(b[12:]))
	if n < headerFixed+crcSize || n > MaxHeader || (n-headerFixed-crcSize)%runSize != 0 {
		return 0, corrupt(12, "header length %d", n)
	}
	return n, nil
}

// ParseHeader reads the header at the beginning of b and returns its length.
// The error is a *CorruptError, or wraps ErrVersion.
func ParseHeader(b []byte) (*Header, int, error) {
	n, err := HeaderSize(b)
	if err != nil {
		return nil, 0, err
	}
	if n > len(b) {
		return nil, 0, corrupt(12, "header of %d bytes in a file of %d", n, len(b))
	}
	b = b[:n]
	if crc32.Checksum(b[:n-crcSize], castagnoli) != le.Uint32(b[n-crcSize:]) {
		return nil, 0, corrupt(0, "header checksum")
	}
	h := &Header{
		Kind: Kind(b[10]), UUID: UUID(b[16:32]), Ref: parseRef(b[32:]),
		FirstSeq: le.Uint64(b[48:]), Time: int64(le.Uint64(b[56:])),
		Parent: parseRef(b[64:]), ParentSeq: le.Uint64(b[80:]), Replaced: parseRef(b[88:]),
		NextID: ID(le.Uint64(b[104:])),
	}
	live, retired := int(le.Uint32(b[112:])), int(le.Uint32(b[116:]))
	if b[11] != 0 || (live+retired)*runSize != n-headerFixed-crcSize {
		return nil, 0, corrupt(11, "header fields disagree")
	}
	rest := b[headerFixed:]
	if h.Live, err = parseRuns(rest[:live*runSize]); err == nil {
		h.Retired, err = parseRuns(rest[live*runSize : (live+retired)*runSize])
	}
	if err != nil {
		return nil, 0, err
	}
	if err := h.check(b); err != nil {
		return nil, 0, err
	}
	return h, n, nil
}

// check refuses what no writer writes, and what Append would write otherwise.
func (h *Header) check(b []byte) error {
	if h.Kind != Log && h.Kind != Output || h.Ref.ID == 0 || h.Ref.Timeline == 0 || h.FirstSeq == 0 {
		return corrupt(10, "header fields out of range")
	}
	if !bytes.Equal(h.Append(nil), b) {
		return corrupt(headerFixed, "header is not canonical")
	}
	return nil
}

// maxRefs bounds what a header's runs may stand for, so that one run cannot
// make a reader allocate without end: ten million segments.
const maxRefs = 10_000_000

func parseRuns(b []byte) ([]Ref, error) {
	var refs []Ref
	for ; len(b) > 0; b = b[runSize:] {
		first, count := parseRef(b), le.Uint32(b[16:])
		if count == 0 || len(refs)+int(count) > maxRefs || uint64(first.ID)+uint64(count) < uint64(first.ID) {
			return nil, corrupt(headerFixed, "a run of %d segments", count)
		}
		for i := range ID(count) {
			refs = append(refs, Ref{first.Timeline, first.ID + i})
		}
	}
	if !sorted(refs) {
		return nil, corrupt(headerFixed, "unsorted set")
	}
	return refs, nil
}
