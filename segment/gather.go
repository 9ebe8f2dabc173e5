package segment

// gathered is what a walk gathers of a segment for its table, in the order of the
// records. It stands in pieces, so that nothing is copied while it grows, and no
// guess at its size is needed: against growing slices that spared a fifth of the
// memory of a seal, and one part in twenty of its time.
type gathered struct {
	items [][]item // pieces of pieceItems
	bytes [][]byte // keys, expiry times, slots; item.at is the piece, and in its lower half the place there
	n     int      // items
	size  int      // of bytes
}

const (
	pieceItems = 512
	pieceBytes = 16 << 10 // at least
)

// add adds what the table says of a record.
func (g *gathered) add(rec *Record) {
	if g.n%pieceItems == 0 {
		g.items = append(g.items, make([]item, 0, pieceItems))
	}
	x := item{
		offset: rec.Offset, seq: rec.Seq, size: uint32(rec.Size),
		keyLen: uint16(len(rec.Key)), slotsLen: uint16(len(rec.Slots)), kind: rec.Kind, flags: rec.Flags,
	}
	b := g.room(x.length())
	x.at = int64(len(g.bytes)-1)<<32 | int64(len(*b))
	*b = append(*b, rec.Key...)
	if rec.Flags&FlagExpiry != 0 {
		*b = le.AppendUint64(*b, uint64(rec.Expiry))
	}
	*b = append(*b, rec.Slots...)
	last := &g.items[len(g.items)-1]
	*last = append(*last, x)
	g.n++
	g.size += x.length()
}

// room returns the piece that takes the next n bytes.
func (g *gathered) room(n int) *[]byte {
	if last := len(g.bytes) - 1; last >= 0 && cap(g.bytes[last])-len(g.bytes[last]) >= n {
		return &g.bytes[last]
	}
	g.bytes = append(g.bytes, make([]byte, 0, max(pieceBytes, n)))
	return &g.bytes[len(g.bytes)-1]
}

// item returns item i.
func (g *gathered) item(i int) *item { return &g.items[i/pieceItems][i%pieceItems] }

// of returns the bytes of an item, its key first.
func (g *gathered) of(x *item) []byte {
	at := int(uint32(x.at))
	return g.bytes[x.at>>32][at : at+x.length()]
}

// key returns the key of item i.
func (g *gathered) key(i int) []byte {
	x := g.item(i)
	return g.of(x)[:x.keyLen]
}

// order returns the items in the table's order. Those of an output are in it
// already; those of a log are in order of sequence number, and taken from the
// last, so among equal keys the newest comes first.
func (g *gathered) order(kind Kind) []ranked {
	order := make([]ranked, g.n)
	if kind == Output {
		for i := range order {
			order[i].item = uint32(i)
		}
		return order
	}
	for i := range order {
		order[i].item = uint32(g.n - 1 - i)
	}
	s := sorter{key: func(i uint32) []byte { return g.key(int(i)) }, scratch: make([]ranked, g.n)}
	s.sort(order, 0)
	return order
}
