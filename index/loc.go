package index

import "fmt"

// MaxKeyLen is the length in bytes of the longest key.
const MaxKeyLen = 1<<16 - 1

// The widths of the fields of a Loc; with the 40 bits of a ref they fill two words.
const (
	slotBits   = 24
	offsetBits = 33 // a segment of 4 GiB, and header and footer on top
	sizeBits   = 31 // an object of 1 GiB, and the record around it
)

// Loc says where the record of a key lies.
type Loc struct {
	Slot   uint32 // the caller's number for a segment, < 1<<24
	Offset int64  // of the record in the segment, < 1<<33
	Size   int64  // of the record, < 1<<31
}

// Live is what an index refers to in one segment.
type Live struct {
	Records int64 // keys whose Loc has the segment's slot
	Bytes   int64 // the sum of their sizes
}

// check panics unless l can be packed. Locs come from proven records, so a bad
// one is a mistake in the program and not damage on a disk.
func (l Loc) check() {
	if l.Slot>>slotBits != 0 || uint64(l.Offset)>>offsetBits != 0 || uint64(l.Size)>>sizeBits != 0 {
		panic(fmt.Sprintf("index: location out of its limits: %+v", l))
	}
}

// packPos packs the offset and the size of l.
func packPos(l Loc) uint64 { return uint64(l.Offset)<<sizeBits | uint64(l.Size) }

// packRef packs a slot and the place of a key.
func packRef(slot uint32, r ref) uint64 { return uint64(slot)<<refBits | uint64(r) }

// unpack is the inverse of packRef and packPos.
func unpack(word, pos uint64) Loc {
	return Loc{
		Slot:   uint32(word >> refBits),
		Offset: int64(pos >> sizeBits),
		Size:   int64(pos & (1<<sizeBits - 1)),
	}
}

// slotPage is how many slots share an allocation.
const slotPage = 256

// slots counts what is alive in each segment. It is paged, since slots are
// dense and are counted on every change, yet a high one must not cost much.
type slots struct {
	pages []*[slotPage]Live
	held  int64 // bytes of heap
	bytes int64 // alive in all slots
}

// get returns the counts of a slot.
func (s *slots) get(slot uint32) Live {
	if p := int(slot / slotPage); p < len(s.pages) && s.pages[p] != nil {
		return s.pages[p][slot%slotPage]
	}
	return Live{}
}

// at returns the counts of a slot for writing.
func (s *slots) at(slot uint32) *Live {
	p := int(slot / slotPage)
	if p >= len(s.pages) || s.pages[p] == nil {
		s.grow(p)
	}
	return &s.pages[p][slot%slotPage]
}

// grow makes page p.
func (s *slots) grow(p int) {
	for len(s.pages) <= p {
		s.pages = append(s.pages, nil)
		s.held += 8
	}
	s.pages[p] = new([slotPage]Live)
	s.held += slotPage * 16
}

// add counts a record in.
func (s *slots) add(l Loc) {
	c := s.at(l.Slot)
	c.Records++
	c.Bytes += l.Size
	s.bytes += l.Size
}

// remove counts a record out.
func (s *slots) remove(l Loc) {
	c := s.at(l.Slot)
	c.Records--
	c.Bytes -= l.Size
	s.bytes -= l.Size
}
