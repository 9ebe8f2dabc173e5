package segment

// fields takes the fields of an entry off its bytes, one after the other.
type fields struct {
	b   []byte
	bad bool // there was no such field
}

func (s *fields) uvarint() uint64 {
	if len(s.b) > 0 && s.b[0] < 0x80 {
		v := s.b[0]
		s.b = s.b[1:]
		return uint64(v)
	}
	return s.long()
}

func (s *fields) long() uint64 {
	v, n := uvarint(s.b)
	s.bad = s.bad || n == 0
	s.b = s.b[n:]
	return v
}

// bytes takes n bytes, which lie in the entry's.
func (s *fields) bytes(n uint64) []byte {
	if n > uint64(len(s.b)) {
		s.bad = true
		return nil
	}
	b := s.b[:n:n]
	s.b = s.b[n:]
	return b
}

// readEntry reads the entry at the beginning of b into e, which holds the entry
// before it, or none, and whose Key is written anew in place. fresh says that
// the entry is the first of its block. It returns the length of the entry, and
// zero for one that no writer writes there.
func (c *Cursor) readEntry(b []byte, e *Entry, fresh bool) int {
	s := fields{b: b}
	head := s.bytes(1)
	keep := s.uvarint()
	rest := s.bytes(s.uvarint())
	off, size, delta := s.uvarint(), s.uvarint(), s.uvarint()
	if s.bad || keep > uint64(len(e.Key)) || fresh && keep > 0 {
		return 0
	}
	same, ok := follows(e.Key, int(keep), rest, fresh)
	seq := c.first + delta
	if !ok || same && seq >= e.Seq {
		return 0
	}
	e.Key = append(e.Key[:keep], rest...)
	e.Kind, e.Flags, e.Seq, e.Offset, e.Size = Put, Flags(head[0]&^entryDelete), seq, int64(off), int64(size)
	if head[0]&entryDelete != 0 {
		e.Kind = Delete
	}
	e.Expiry, e.Slots = 0, nil
	if e.Flags&FlagExpiry != 0 {
		if x := s.bytes(expirySize); !s.bad {
			e.Expiry = int64(le.Uint64(x))
		}
	}
	if e.Flags&FlagSlots != 0 {
		e.Slots = s.bytes(s.uvarint())
	}
	if s.bad || !c.possible(e, off, size, delta) {
		return 0
	}
	return len(b) - len(s.b)
}

// follows reports whether the key that shares keep bytes with prev and goes on
// with rest may stand behind it, and whether it is the same key. What is shared
// must be as long as it can be, but for the first entry of a block, which shares
// nothing on paper.
func follows(prev []byte, keep int, rest []byte, fresh bool) (same, ok bool) {
	if fresh {
		keep = shared(prev, rest)
		rest = rest[keep:]
	}
	if keep == len(prev) {
		return len(rest) == 0, true
	}
	return false, len(rest) > 0 && rest[0] > prev[keep]
}

// possible reports whether a record of this segment can be as e says; offset,
// size and sequence number are given as they were read.
func (c *Cursor) possible(e *Entry, off, size, delta uint64) bool {
	f := c.f
	if len(e.Key) == 0 || len(e.Key) > MaxKey || len(e.Slots) > MaxSlots {
		return false
	}
	end, x := uint64(f.RecordsEnd), e.Flags
	if off < uint64(f.r.HeaderSize) || off > end || size > end-off || !c.keys && (e.Seq < f.FirstSeq || e.Seq > f.LastSeq) {
		return false
	}
	if (x&flagWide != 0) != (delta>>32 != 0) || (x&FlagExpiry != 0) != (e.Expiry != 0) ||
		(x&FlagSlots != 0) != (len(e.Slots) > 0) || !validSlots(e.Slots) {
		return false
	}
	if x&(FlagCommit|FlagVouch) != 0 && f.r.Header.Kind != Log {
		return false
	}
	least := uint64(optionalSize(x) + len(e.Key) + len(e.Slots))
	if e.Kind == Delete {
		return x&ofPut == 0 && size == least
	}
	if x&FlagMeta != 0 {
		least++
	}
	return size >= least && size-least <= MaxValue+MaxMeta
}
