package injured

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/varve-db/varve/segment"
)

// WithRecord changes record n, and leaves all others, and the footer, as they are.
func WithRecord(t testing.TB, b []byte, n int, change func(*segment.Record)) []byte {
	t.Helper()
	r, err := segment.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	for rec, err := range r.Records(segment.Span{Depth: segment.WithValues}) {
		if err != nil {
			t.Fatal(err)
		}
		if n--; n >= 0 {
			continue
		}
		c, size := *rec, rec.Size
		change(&c)
		out := r.ChecksumSeed().AppendRecord(bytes.Clone(b[:c.Offset]), c.Offset, &c)
		if int64(len(out)) != c.Offset+size {
			t.Fatalf("the record has another size")
		}
		return append(out, b[len(out):]...)
	}
	t.Fatal("no such record")
	return nil
}

// Graft puts the footer of one segment behind the records of another, with the
// digest and the checksum that it must have there: a table that is sound by
// itself, and not that of the records.
func Graft(t testing.TB, records, footed []byte) []byte {
	t.Helper()
	out := append(bytes.Clone(records), footed[len(records):]...)
	at := len(out) - 160
	sum := sha256.Sum256(out[:at+112])
	copy(out[at+112:], sum[:])
	h, _, err := segment.ParseHeader(out)
	if err != nil {
		t.Fatal(err)
	}
	PutTrailerCRC(out, h)
	return out
}

// PutTrailerCRC gives the trailer at the end of a file its checksum.
func PutTrailerCRC(b []byte, h *segment.Header) {
	var place [32]byte
	copy(place[:], h.UUID[:])
	binary.LittleEndian.PutUint64(place[16:], uint64(h.Ref.Timeline))
	binary.LittleEndian.PutUint64(place[24:], uint64(h.Ref.ID))
	table := crc32.MakeTable(crc32.Castagnoli)
	at := len(b) - 160
	from := crc32.Checksum(place[:], table) ^ uint32(at)
	binary.LittleEndian.PutUint32(b[at+144:], crc32.Update(from, table, b[at:at+144]))
}
