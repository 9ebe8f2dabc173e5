package segment

import (
	"bytes"
	"io"
)

// collected is what a table is built from: items and their bytes laid out in the
// table's order, so that they can be gone over twice.
type collected struct {
	sum   Summary
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
	c, g := new(collected), new(gathered)
	c.sum.FirstSeq, c.sum.LastSeq, c.sum.RecordsEnd = r.seed.First, r.seed.First-1, end
	last, at := RecordKind(0), r.HeaderSize
	for rec, err := range through.Records(Span{To: end, Depth: CheckValues}) {
		if err != nil {
			return nil, err
		}
		if err := c.record(rec, r.Header.Kind, g); err != nil {
			return nil, err
		}
		last, at = rec.Kind, rec.Offset+rec.Size
	}
	if at != end || r.Header.Kind == Log && last != End {
		return nil, corrupt(at, "the records do not end as those of a finished %v do", r.Header.Kind)
	}
	c.layOut(g, g.order(r.Header.Kind))
	return c, nil
}

// record counts a record in, and gathers it if the table lists it.
func (c *collected) record(rec *Record, kind Kind, g *gathered) error {
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
	if g.n == 0 {
		s.FirstSeq, s.LastSeq = rec.Seq, rec.Seq
	}
	s.FirstSeq, s.LastSeq = min(s.FirstSeq, rec.Seq), max(s.LastSeq, rec.Seq)
	if kind == Output && g.n > 0 {
		order := bytes.Compare(g.key(g.n-1), rec.Key)
		if order > 0 || order == 0 && g.item(g.n-1).seq <= rec.Seq {
			return corrupt(rec.Offset, "an output out of order")
		}
	}
	g.add(rec)
	return nil
}

// layOut copies the items and their bytes in an order.
func (c *collected) layOut(g *gathered, order []ranked) {
	c.items = make([]item, g.n)
	c.bytes = make([]byte, 0, g.size)
	for i, k := range order {
		x := *g.item(int(k.item))
		from := g.of(&x)
		x.at = int64(len(c.bytes))
		c.items[i] = x
		c.bytes = append(c.bytes, from...)
	}
}

// length is what the item takes of collected.bytes.
func (x *item) length() int {
	n := int(x.keyLen) + int(x.slotsLen)
	if x.flags&FlagExpiry != 0 {
		n += expirySize
	}
	return n
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
