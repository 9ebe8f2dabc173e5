package segment

import (
	"bytes"
	"io"
	"slices"
)

// collected is what a table is built from.
type collected struct {
	sum   Summary
	start int64 // of the first record
	items []item
	bytes []byte // keys, expiry times, slots
}

// item is an entry; what has no fixed size lies in collected.bytes from at on.
type item struct {
	at       int64
	offset   int64
	seq      uint64
	size     uint32
	keyLen   uint16
	slotsLen uint16
	kind     RecordKind
	flags    Flags
}

// collect walks the records and sorts them.
func (r *Reader) collect(src io.ReaderAt, end int64) (*collected, error) {
	through := *r
	through.src = src
	c := &collected{start: r.HeaderSize}
	c.sum.FirstSeq, c.sum.LastSeq, c.sum.RecordsEnd = r.place.First, r.place.First-1, end
	last, at := RecordKind(0), r.HeaderSize
	for rec, err := range through.Records(Span{To: end, Depth: CheckValues}) {
		if err != nil {
			return nil, err
		}
		if err := c.record(rec, r.Header.Kind); err != nil {
			return nil, err
		}
		last, at = rec.Kind, rec.Offset+rec.Size
	}
	if at != end || r.Header.Kind == Log && last != End {
		return nil, corrupt(at, "the records do not end as those of a finished %v do", r.Header.Kind)
	}
	c.sort(r.Header.Kind)
	return c, nil
}

// record adds a record to what was collected.
func (c *collected) record(rec *Record, kind Kind) error {
	s := &c.sum
	if kind == Output && (!rec.Kind.Data() || rec.Flags&(FlagCommit|FlagVouch) != 0) {
		return corrupt(rec.Offset, "a record that no output holds")
	}
	if rec.Commit() {
		if s.FirstTime == 0 {
			s.FirstTime = rec.Time
		}
		s.LastTime = rec.Time
	}
	switch {
	case !rec.Kind.Data():
		s.Others++
		if rec.Kind == Edit {
			_, err := rec.ParseEdit()
			return err
		}
		return nil
	case rec.Kind == Put:
		s.Puts++
		s.PutBytes += rec.Size
	default:
		s.Deletes++
	}
	if rec.Commit() {
		s.Batches++
	}
	if len(c.items) == 0 {
		s.FirstSeq, s.LastSeq = rec.Seq, rec.Seq
	}
	s.FirstSeq, s.LastSeq = min(s.FirstSeq, rec.Seq), max(s.LastSeq, rec.Seq)
	return c.add(rec, kind)
}

func (c *collected) add(rec *Record, kind Kind) error {
	if n := len(c.items); kind == Output && n > 0 {
		prev := &c.items[n-1]
		order := bytes.Compare(c.key(n-1), rec.Key)
		if order > 0 || order == 0 && prev.seq <= rec.Seq {
			return corrupt(rec.Offset, "an output out of order")
		}
	}
	if len(c.items) == cap(c.items) {
		c.reserve(rec.Offset)
	}
	c.items = append(c.items, item{
		at: int64(len(c.bytes)), offset: rec.Offset, seq: rec.Seq, size: uint32(rec.Size),
		keyLen: uint16(len(rec.Key)), slotsLen: uint16(len(rec.Slots)), kind: rec.Kind, flags: rec.Flags,
	})
	c.bytes = append(c.bytes, rec.Key...)
	if rec.Flags&FlagExpiry != 0 {
		c.bytes = le.AppendUint64(c.bytes, uint64(rec.Expiry))
	}
	c.bytes = append(c.bytes, rec.Slots...)
	return nil
}

// reserve makes room for as many entries as are to be expected, if those from
// here on are like those up to offset at, but for no more than three times as
// many as there are: what follows may be one large value.
func (c *collected) reserve(at int64) {
	done := max(at-c.start, 1)
	share := min(float64(c.sum.RecordsEnd-c.start)/float64(done)*1.05, 4)
	more := func(n int) int { return max(int(float64(n)*share)-n, n/4, 64) }
	c.items = slices.Grow(c.items, more(len(c.items)))
	c.bytes = slices.Grow(c.bytes, more(len(c.bytes)))
}

// sort brings the items into the table's order. Those of an output are in it
// already; those of a log are in order of sequence number, and taken from the
// last, so that of equal keys the newest comes first. The items and their bytes
// are laid out anew in that order, for whoever goes over them next.
func (c *collected) sort(kind Kind) {
	if kind == Output {
		return
	}
	n := len(c.items)
	order := make([]ranked, n)
	for i := range order {
		order[i].item = uint32(n - 1 - i)
	}
	s := sorter{key: func(i uint32) []byte { return c.key(int(i)) }, scratch: make([]ranked, n)}
	s.sort(order, 0)
	items := make([]item, n)
	for i, k := range order {
		items[i] = c.items[k.item]
	}
	sorted := make([]byte, 0, len(c.bytes))
	for i := range items {
		x := &items[i]
		from := x.at
		x.at = int64(len(sorted))
		sorted = append(sorted, c.bytes[from:from+int64(x.length())]...)
	}
	c.items, c.bytes = items, sorted
}

// length is what the item takes of collected.bytes.
func (x *item) length() int {
	n := int(x.keyLen) + int(x.slotsLen)
	if x.flags&FlagExpiry != 0 {
		n += expirySize
	}
	return n
}

func (c *collected) key(i int) []byte {
	x := &c.items[i]
	return c.bytes[x.at : x.at+int64(x.keyLen)]
}

// entry sets e to item i.
func (c *collected) entry(i int, e *Entry) {
	x := &c.items[i]
	b := c.bytes[x.at:]
	*e = Entry{
		Key: b[:x.keyLen:x.keyLen], Kind: x.kind, Flags: x.flags, Seq: x.seq, Offset: x.offset, Size: int64(x.size),
	}
	b = b[x.keyLen:]
	if x.flags&FlagExpiry != 0 {
		e.Expiry = int64(le.Uint64(b))
		b = b[expirySize:]
	}
	e.Slots = b[:x.slotsLen:x.slotsLen]
}

// tableSize is about what the footer will take.
func (c *collected) tableSize() int {
	return len(c.bytes) + 14*len(c.items) + trailerSize + maxBlock
}
