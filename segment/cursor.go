package segment

import (
	"bytes"
	"hash/crc32"
	"sort"
)

// A Cursor reads a table's entries in order: of key, then of falling sequence
// number. It holds a quarter of a MiB, more only for an entry that is itself
// larger, and checks each block before it hands out an entry of it. It is for
// one goroutine.
type Cursor struct {
	// Entry is where the cursor stands. Key and Slots are the cursor's, and good
	// until the next call of Next.
	Entry Entry

	f     *Footer
	next  int    // block to open when the open one is done
	end   int    // block to stop before
	rest  []byte // entries of the open block still to be read
	left  int    // their number
	fresh bool   // none of them was read yet
	from  []byte // entries below are passed over
	err   error

	before int // bytes that the open block's first key shares with the key before; -1 if none was read

	window   []byte
	buf      []byte // of window: the blocks from next up to buffered
	buffered int

	first uint64 // sequence numbers count from here
	keys  bool   // only the entries' keys are asked for: then first is not known
	whole bool   // reads all entries, so that the totals can be proven
	seen  Summary
}

// Cursor returns a cursor before the first entry. Read to its end, it has also
// proven that the entries add up to the summary.
func (f *Footer) Cursor() *Cursor {
	return &Cursor{f: f, end: len(f.blocks), whole: true}
}

// CursorAt returns a cursor before the first entry whose key is not less than
// key, which must stay as it is until Next was called.
func (f *Footer) CursorAt(key []byte) *Cursor {
	return &Cursor{f: f, next: f.blockOf(key), end: len(f.blocks), from: key}
}

// blockOf returns the block in which the newest entry of key stands, if any
// does; else the one where the first entry after it stands, or the one before.
func (f *Footer) blockOf(key []byte) int {
	i := sort.Search(len(f.blocks), func(i int) bool { return bytes.Compare(f.blocks[i].first, key) >= 0 })
	if i == 0 || i < len(f.blocks) && !f.blocks[i].continued && bytes.Equal(f.blocks[i].first, key) {
		return i
	}
	return i - 1
}

// Lookup returns the newest entry of a key, which is the caller's, and whether
// there is one. It reads one block, or none if the key is less than all of the
// table. The error is a *CorruptError or the source's.
func (f *Footer) Lookup(key []byte) (Entry, bool, error) {
	if bytes.Compare(key, f.FirstKey()) < 0 {
		return Entry{}, false, nil
	}
	i := f.blockOf(key)
	c := Cursor{f: f, next: i, end: min(i+1, len(f.blocks)), from: key, keys: f.lacksHeader()}
	found := c.Next() && bytes.Equal(c.Entry.Key, key)
	if found && c.keys {
		c = Cursor{f: f, next: i, end: c.end, from: key}
		found = c.Next() && bytes.Equal(c.Entry.Key, key)
	}
	if !found {
		return Entry{}, false, c.Err()
	}
	e := c.Entry
	e.Slots = bytes.Clone(e.Slots)
	return e, true, nil
}

// Err returns what ended the cursor: nil after the last entry, a *CorruptError,
// or the source's error.
func (c *Cursor) Err() error { return c.f.r.named(c.err) }

// Next moves to the next entry. It reports false at the end, and on an error,
// which Err returns.
func (c *Cursor) Next() bool {
	for c.err == nil {
		if c.left == 0 && !c.open() {
			return false
		}
		n := c.readEntry(c.rest, &c.Entry, c.fresh)
		if n == 0 || c.fresh && !c.begins(n) || c.left == 1 && n != len(c.rest) {
			c.err = corrupt(c.f.blocks[c.next-1].off, "table block: an entry that cannot be")
			return false
		}
		c.rest, c.left, c.fresh = c.rest[n:], c.left-1, false
		if c.whole {
			c.count()
		}
		if c.from == nil || bytes.Compare(c.Entry.Key, c.from) >= 0 {
			c.from = nil
			return true
		}
	}
	return false
}

// begins reports whether the entry just read, n bytes long, is rightly the first
// of its block: as the index says, and too large for the block before, of which
// the last entry was read, too.
func (c *Cursor) begins(n int) bool {
	if !bytes.Equal(c.Entry.Key, c.f.blocks[c.next-1].first) {
		return false
	}
	if c.before < 0 {
		return true
	}
	rest := len(c.Entry.Key) - c.before
	n += uvarintSize(c.before) - 1 + uvarintSize(rest) - uvarintSize(len(c.Entry.Key)) - c.before
	return c.f.blocks[c.next-2].size+int64(n) > maxBlock
}

// open goes to the next block. It reports false if there is none, and on an
// error.
func (c *Cursor) open() bool {
	if c.next == c.end {
		if c.whole && !c.addsUp() {
			c.err = corrupt(c.f.RecordsEnd, "table and summary disagree")
		}
		return false
	}
	if !c.keys {
		if c.first, c.err = c.f.ready(); c.err != nil {
			return false
		}
	}
	if c.next >= c.buffered {
		if c.err = c.load(); c.err != nil {
			return false
		}
	}
	k := &c.f.blocks[c.next]
	b := c.buf[:k.size]
	if crc32.Update(c.f.r.seed.at(k.off), castagnoli, b[4:]) != le.Uint32(b) {
		c.err = corrupt(k.off, "table block checksum")
		return false
	}
	prev := c.Entry.Key
	c.before = -1
	if len(prev) > 0 {
		c.before = shared(prev, k.first)
	}
	same := c.before == len(prev) && c.before == len(k.first)
	if int64(le.Uint32(b[4:])) != k.size || int(le.Uint32(b[8:])) != k.count || c.before >= 0 && same != k.continued {
		c.err = corrupt(k.off, "table block and block index disagree")
		return false
	}
	c.rest, c.left, c.fresh = b[blockFixed:], k.count, true
	c.buf = c.buf[k.size:]
	c.next++
	return true
}

// load reads as many whole blocks as a window holds, at least one.
func (c *Cursor) load() error {
	first := &c.f.blocks[c.next]
	n := first.size
	for c.buffered = c.next + 1; c.buffered < c.end && n+c.f.blocks[c.buffered].size <= windowSize; c.buffered++ {
		n += c.f.blocks[c.buffered].size
	}
	if int64(cap(c.window)) < n {
		c.window = make([]byte, n)
	}
	c.buf = c.window[:n]
	return readFull(c.f.r.src, c.buf, first.off)
}

// count adds the entry to what was seen.
func (c *Cursor) count() {
	s, e := &c.seen, &c.Entry
	if s.Entries() == 0 {
		s.FirstSeq, s.LastSeq = e.Seq, e.Seq
	}
	s.FirstSeq, s.LastSeq = min(s.FirstSeq, e.Seq), max(s.LastSeq, e.Seq)
	if e.Kind == Put {
		s.Puts++
		s.PutBytes += e.Size
	} else {
		s.Deletes++
	}
	if e.Flags&FlagCommit != 0 {
		s.Batches++
	}
}

// addsUp reports whether what was seen is what the summary says.
func (c *Cursor) addsUp() bool {
	s, f := &c.seen, c.f
	return s.Puts == f.Puts && s.Deletes == f.Deletes && s.PutBytes == f.PutBytes && s.Batches == f.Batches &&
		(s.Entries() == 0 || s.FirstSeq == f.FirstSeq && s.LastSeq == f.LastSeq)
}
