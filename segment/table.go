package segment

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// Entry is one entry of a segment's table: what is known of a put or a delete
// without reading its record.
type Entry struct {
	Key    []byte
	Kind   RecordKind // Put or Delete
	Flags  Flags      // of the record, all of them
	Seq    uint64
	Offset int64  // of the record in the file
	Size   int64  // of the whole record
	Expiry int64  // ns since 1970 UTC; zero: never
	Slots  []byte // see Slot
}

// tableWriter lays out entries as blocks and their index.
type tableWriter struct {
	place  ChecksumSeed
	base   int64 // offset in the file of out
	out    []byte
	index  []byte
	blocks int
	start  int // of the open block in out
	count  int // its entries
	first  []byte
	last   []byte // key of the newest entry
	joined bool   // the block before the open one ends with the key first
}

// add appends an entry, which follows those before it in the table's order. Its
// key must stay as it is until the table is finished.
func (t *tableWriter) add(e *Entry) {
	if t.count > 0 {
		n := len(t.out)
		t.out = t.place.appendEntry(t.out, e, shared(t.last, e.Key))
		if len(t.out)-t.start <= maxBlock {
			t.last = e.Key
			t.count++
			return
		}
		t.out = t.out[:n]
		t.closeBlock()
	}
	t.start = len(t.out)
	t.joined = t.blocks > 0 && bytes.Equal(t.last, e.Key)
	t.out = append(t.out, make([]byte, blockFixed)...)
	t.out = t.place.appendEntry(t.out, e, 0)
	t.first, t.last, t.count = e.Key, e.Key, 1
}

func (t *tableWriter) closeBlock() {
	if t.count == 0 {
		return
	}
	b, off := t.out[t.start:], t.base+int64(t.start)
	le.PutUint32(b[4:], uint32(len(b)))
	le.PutUint32(b[8:], uint32(t.count))
	le.PutUint32(b, crc32.Update(t.place.at(off), castagnoli, b[4:]))
	t.index = le.AppendUint64(t.index, uint64(off))
	t.index = le.AppendUint32(t.index, uint32(len(b)))
	t.index = le.AppendUint32(t.index, uint32(t.count))
	t.index = append(t.index, 0, 0)
	if t.joined {
		t.index[len(t.index)-2] = 1
	}
	t.index = le.AppendUint16(t.index, uint16(len(t.first)))
	t.index = append(t.index, t.first...)
	t.blocks++
	t.count = 0
}

// finish returns blocks, index, and the trailer up to its digest: the digest of
// the file is taken up to there, and then appended.
func (t *tableWriter) finish(s *Summary) []byte {
	t.closeBlock()
	at := t.base + int64(len(t.out))
	length := int64(len(t.index)) + crcSize
	t.out = append(t.out, t.index...)
	t.out = le.AppendUint32(t.out, crc32.Update(t.place.at(at), castagnoli, t.index))
	return appendTrailer(t.out, s, at, length, int64(t.blocks))
}

// appendEntry appends an entry of which the first n bytes of key are shared
// with the one before.
func (p ChecksumSeed) appendEntry(dst []byte, e *Entry, n int) []byte {
	head := byte(e.Flags)
	if e.Kind == Delete {
		head |= entryDelete
	}
	dst = append(dst, head)
	dst = binary.AppendUvarint(dst, uint64(n))
	dst = binary.AppendUvarint(dst, uint64(len(e.Key)-n))
	dst = append(dst, e.Key[n:]...)
	dst = binary.AppendUvarint(dst, uint64(e.Offset))
	dst = binary.AppendUvarint(dst, uint64(e.Size))
	dst = binary.AppendUvarint(dst, e.Seq-p.First)
	if e.Flags&FlagExpiry != 0 {
		dst = le.AppendUint64(dst, uint64(e.Expiry))
	}
	if e.Flags&FlagSlots != 0 {
		dst = binary.AppendUvarint(dst, uint64(len(e.Slots)))
		dst = append(dst, e.Slots...)
	}
	return dst
}

// shared returns how many bytes a and b begin with in common.
func shared(a, b []byte) int {
	n := min(len(a), len(b))
	i := 0
	for ; i+8 <= n; i += 8 {
		if le.Uint64(a[i:]) != le.Uint64(b[i:]) {
			break
		}
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

// uvarint reads a number in its shortest form. The length is zero if there is
// none.
func uvarint(b []byte) (uint64, int) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	v, n := binary.Uvarint(b)
	if n <= 0 || b[n-1] == 0 {
		return 0, 0
	}
	return v, n
}

// uvarintSize is the length of v in its shortest form.
func uvarintSize(v int) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

// parseIndex reads the block index. Keys lie in b.
func (f *Footer) parseIndex(b []byte, count int64) error {
	body := b[:len(b)-crcSize]
	if crc32.Update(f.r.seed.at(f.index), castagnoli, body) != le.Uint32(b[len(body):]) {
		return corrupt(f.index, "block index checksum")
	}
	f.blocks = make([]block, 0, count)
	next, entries := f.RecordsEnd, int64(0)
	for range count {
		k, n := block{}, indexFixed
		if len(body) >= n {
			n += int(le.Uint16(body[18:]))
		}
		if len(body) < n {
			return corrupt(f.index, "block index cut off")
		}
		k.off, k.size, k.count = int64(le.Uint64(body)), int64(le.Uint32(body[8:])), int(le.Uint32(body[12:]))
		joined := le.Uint16(body[16:])
		k.continued, k.first = joined == 1, body[indexFixed:n:n]
		if joined > 1 || k.off != next || k.size > f.index-k.off || !f.fits(&k) {
			return corrupt(f.index, "block index: a block that cannot be")
		}
		f.blocks, body = append(f.blocks, k), body[n:]
		next, entries = next+k.size, entries+int64(k.count)
	}
	if len(body) != 0 || next != f.index || entries != f.Entries() {
		return corrupt(f.index, "block index and trailer disagree")
	}
	f.Blocks = len(f.blocks)
	return nil
}

// fits reports whether k can follow the blocks before it.
func (f *Footer) fits(k *block) bool {
	if k.count < 1 || len(k.first) == 0 || k.size-blockFixed < minEntry*int64(k.count) || k.size > maxBlock && k.count > 1 {
		return false
	}
	n := len(f.blocks)
	if n == 0 {
		return !k.continued
	}
	order := bytes.Compare(f.blocks[n-1].first, k.first)
	return order < 0 || order == 0 && k.continued
}
