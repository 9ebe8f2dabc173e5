package segment

import (
	"bytes"
	"runtime"
	"testing"
)

// TestCraftedLengthsAllocateLittle gives readers sound checksums over lengths
// that the file does not bear out.
func TestCraftedLengthsAllocateLittle(t *testing.T) {
	small := golden(t, "small.seg")
	p := testOpen(t, small).r.seed
	header := bytes.Clone(small)
	le.PutUint32(header[12:], headerFixed+crcSize+runSize*400_000)
	at := len(small) - trailerSize
	trailer := func(field int, v uint64) []byte {
		b := bytes.Clone(small)
		le.PutUint64(b[at+8*field:], v)
		fixTrailer(b, p)
		return b
	}
	value := bytes.Clone(small)
	le.PutUint32(value[124+12:], MaxValue)
	fixRecord(value[124:], p, 124)
	for name, b := range map[string][]byte{
		"a header of 8 MB": header, "a value of 1 GiB": value, "an index of 1 TiB": trailer(2, 1<<40),
		"an index before the file": trailer(1, 1<<63), "blocks without end": trailer(3, 1<<40), "entries without end": trailer(4, 1<<60),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		x := examine(b)
		runtime.ReadMemStats(&after)
		if (x == injured{}) {
			t.Errorf("%s: not noticed", name)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 2*windowSize {
			t.Errorf("%s: %d bytes allocated for a file of %d", name, n, len(b))
		}
	}
}

// TestSealTakesNoMemoryForWhatDoesNotFollow: many small records, then a large
// one, must not make room for small ones without end.
func TestSealTakesNoMemoryForWhatDoesNotFollow(t *testing.T) {
	var recs []Record
	for i := range 100 {
		recs = append(recs, Record{Kind: Put, Flags: FlagCommit, Seq: uint64(i) + 1, Key: []byte{byte(i)}})
	}
	recs = append(recs, Record{Kind: Put, Flags: FlagCommit, Seq: 101, Key: []byte("large"), Value: make([]byte, 32<<20)}, endRecord(102, Ref{5, 2}))
	b := layOut(&Header{Head: Head{Kind: Log, UUID: goldenUUID, Ref: Ref{5, 1}, FirstSeq: 1, Time: 1}}, recs...)
	r, err := NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, _, err := r.Seal(r.Size); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 4*windowSize {
		t.Errorf("%d bytes allocated for a footer of 101 entries", n)
	}
}

// fixTrailer gives the trailer at the end of b its CRC.
func fixTrailer(b []byte, p ChecksumSeed) {
	at := len(b) - trailerSize
	le.PutUint32(b[at+trailerCRC:], crcAt(p, int64(at), b[at:at+trailerCRC]))
}
