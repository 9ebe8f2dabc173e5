package integrity

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/varve-db/varve/integrity/internal/injured"
	"github.com/varve-db/varve/segment"
)

const testTime = 1_767_323_045_000_000_000

// logHeader is that of the logs of these tests.
func logHeader() *segment.Header {
	return &segment.Header{Head: segment.Head{Kind: segment.Log, UUID: segment.UUID{9, 9}, Ref: segment.Ref{Timeline: 7, ID: 3}, FirstSeq: 100, Time: testTime,
		NextID: 5}, Live: segment.SetOf(segment.Ref{Timeline: 7, ID: 1}, segment.Ref{Timeline: 7, ID: 2})}
}

// layRecords writes a header and records, with their times and vouches filled in.
func layRecords(h *segment.Header, recs ...segment.Record) []byte {
	b := h.Append(nil)
	for i := range recs {
		r := &recs[i]
		if r.Commit() {
			r.Time = testTime + int64(i)*1000
		}
		if r.Vouches() {
			r.Vouch = int64(len(b))
		}
		b = h.ChecksumSeed().AppendRecord(b, int64(len(b)), r)
	}
	return b
}

// variedLog is a log with every kind and field, rolled and not sealed.
func variedLog() []byte {
	slots := segment.AppendSlots(nil, []segment.Slot{{Number: 1, Value: []byte("a")}, {Number: 2, Value: []byte("b")}})
	edit := segment.Record{Seq: 105}
	edit.SetEdit(segment.EditSet{Retire: []segment.Ref{{Timeline: 7, ID: 1}}})
	end := segment.Record{Seq: 106}
	end.SetEnd(segment.Ref{Timeline: 7, ID: 4})
	const c, v = segment.FlagCommit, segment.FlagVouch
	return layRecords(logHeader(),
		segment.Record{Kind: segment.Put, Flags: c | v, Seq: 100, Key: []byte("plain"), Value: []byte("a raw value")},
		segment.Record{Kind: segment.Put, Seq: 101, Key: []byte("slots"), Value: []byte("v"), Slots: slots},
		segment.Record{Kind: segment.Put, Seq: 102, Key: []byte("expires"), Value: []byte("v"), Expiry: testTime + 5, Meta: []byte{0x80}},
		segment.Record{Kind: segment.Delete, Flags: c, Seq: 103, Key: []byte("plain")},
		segment.Record{Kind: segment.Mark, Flags: c | v, Seq: 104},
		segment.Record{Kind: segment.Put, Flags: c | segment.FlagMsgpack, Seq: 104, Key: []byte("packed"), Value: []byte{0x81, 0xa1, 'n', 7}, Slots: slots},
		edit,
		segment.Record{Kind: segment.Put, Flags: c, Seq: 105, Key: []byte("plain"), Value: []byte("again")},
		end,
	)
}

// seal adds the footer.
func seal(t testing.TB, b []byte) []byte {
	t.Helper()
	r, err := segment.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	footer, _, err := r.Seal(int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return append(bytes.Clone(b), footer...)
}

// fill returns a sealed log of n puts with values of a size.
func fill(t testing.TB, n, size int) []byte {
	recs := make([]segment.Record, 0, n+1)
	value := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
	for i := range n {
		recs = append(recs, segment.Record{Kind: segment.Put, Flags: segment.FlagCommit, Seq: 100 + uint64(i),
			Key: fmt.Appendf(nil, "key/%08x/%03d", uint32(i)*2654435761, i%1000), Value: value})
	}
	end := segment.Record{Seq: 100 + uint64(n)}
	end.SetEnd(segment.Ref{Timeline: 7, ID: 4})
	return seal(t, layRecords(logHeader(), append(recs, end)...))
}

// output is a compaction's.
func output(t testing.TB) []byte {
	h := &segment.Header{Head: segment.Head{Kind: segment.Output, UUID: segment.UUID{9, 9}, Ref: segment.Ref{Timeline: 7, ID: 9}, FirstSeq: 10, Time: testTime}}
	return seal(t, layRecords(h,
		segment.Record{Kind: segment.Put, Seq: 50, Key: []byte("a"), Value: []byte("newer")},
		segment.Record{Kind: segment.Put, Seq: 20, Key: []byte("a"), Value: []byte("older")},
		segment.Record{Kind: segment.Delete, Seq: 30, Key: []byte("b")},
		segment.Record{Kind: segment.Put, Seq: 10 + 1<<33, Key: []byte("c"), Value: []byte("wide")},
	))
}

func verify(t testing.TB, b []byte) (*Verified, []Finding) {
	t.Helper()
	v, found, err := VerifySealed(t.Context(), bytes.NewReader(b), int64(len(b)), VerifyOptions{File: "x.seg"})
	if err != nil {
		t.Fatal(err)
	}
	return v, found
}

func TestSoundSegmentsHaveNoFindings(t *testing.T) {
	names, err := filepath.Glob("../segment/testdata/v1/*.seg")
	if err != nil || len(names) < 4 {
		t.Fatal(names, err)
	}
	list := map[string][]byte{"varied": seal(t, variedLog()), "output": output(t), "large": fill(t, 300, 5000), "huge values": fill(t, 3, 700<<10)}
	for _, name := range names {
		if list[name], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	for name, b := range list {
		v, found := verify(t, b)
		if len(found) > 0 {
			t.Errorf("%s: %+v", name, found)
		}
		if v.Header == nil || v.Summary.FileSize != int64(len(b)) || v.Records != v.Summary.Entries()+v.Summary.Others {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

// TestEachByteIsReadOnce counts: a segment is read from its beginning to its end,
// and before that only its header and the end of its footer.
func TestEachByteIsReadOnce(t *testing.T) {
	b := fill(t, 2000, 1024)
	var progress int64
	v, found, err := VerifySealed(t.Context(), bytes.NewReader(b), int64(len(b)), VerifyOptions{Progress: func(n int64) { progress += n }})
	if err != nil || len(found) > 0 {
		t.Fatal(found, err)
	}
	if progress != int64(len(b)) {
		t.Errorf("progress of %d bytes in a file of %d", progress, len(b))
	}
	if most := int64(len(b)) + 8<<10; v.Bytes < int64(len(b)) || v.Bytes > most {
		t.Errorf("%d bytes were read of a file of %d", v.Bytes, len(b))
	}
}

// TestVerifyTakesLittleMemory verifies segments of 2 and of 16 MiB: the larger takes
// hardly more.
func TestVerifyTakesLittleMemory(t *testing.T) {
	took := func(n int) int64 {
		b := fill(t, n, 1024)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, found := verify(t, b); len(found) > 0 {
			t.Fatal(found)
		}
		runtime.ReadMemStats(&after)
		return int64(after.TotalAlloc - before.TotalAlloc)
	}
	if a, b := took(2000), took(16000); b > a+256<<10 || b > 2<<20 {
		t.Errorf("%d bytes for 2 MiB, %d for 16", a, b)
	}
}

// TestEveryFlipInASealedSegmentIsFound flips each byte, in two ways.
func TestEveryFlipInASealedSegmentIsFound(t *testing.T) {
	for name, b := range map[string][]byte{"log": seal(t, variedLog()), "output": output(t)} {
		r, err := segment.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		f, err := r.OpenFooter()
		if err != nil {
			t.Fatal(err)
		}
		for at := range int64(len(b)) {
			for _, x := range []byte{1 << (at % 8), 0xff} {
				c := bytes.Clone(b)
				c[at] ^= x
				_, found := verify(t, c)
				if len(found) == 0 {
					t.Fatalf("%s: nothing is found at byte %d", name, at)
				}
				want := DamagedTable
				switch {
				case at < r.HeaderSize:
					want = DamagedHeader
				case at < f.RecordsEnd:
					want = DamagedRecord
				}
				got := found[0]
				if got.Kind != want {
					t.Errorf("%s: byte %d ^ %x: %+v, want %s", name, at, x, got, want)
				}
				if len(found) != 1 || got.Reason == "" || got.File != "x.seg" || got.Offset > at {
					t.Errorf("%s: byte %d ^ %x: %+v", name, at, x, found)
				}
				if want == DamagedRecord {
					namesWhatWasHit(t, name, f, at, &got)
				}
			}
		}
	}
}

// namesWhatWasHit wants the key and the number of the record that at lies in.
func namesWhatWasHit(t *testing.T, name string, f *segment.Footer, at int64, got *Finding) {
	t.Helper()
	c := f.Cursor()
	for c.Next() {
		e := &c.Entry
		if at < e.Offset || at >= e.Offset+e.Size {
			continue
		}
		if len(got.Keys) != 1 || string(got.Keys[0]) != string(e.Key) || got.FirstSeq != e.Seq || got.LastSeq != e.Seq || got.Offset != e.Offset {
			t.Errorf("%s: byte %d is of %q, %d: %+v", name, at, e.Key, e.Seq, got)
		}
		return
	}
	if got.FirstSeq != 0 || len(got.Keys) > 0 {
		t.Errorf("%s: byte %d is of no object: %+v", name, at, got)
	}
}

// TestSegmentsOfAnotherLengthAreFound cuts a segment at each length and adds to it.
func TestSegmentsOfAnotherLengthAreFound(t *testing.T) {
	b := seal(t, variedLog())
	for n := range len(b) {
		if _, found := verify(t, b[:n]); len(found) == 0 {
			t.Fatalf("nothing is found in the first %d bytes of %d", n, len(b))
		}
	}
	for _, more := range [][]byte{{0}, make([]byte, 5000), b, b[len(b)-160:]} {
		if _, found := verify(t, append(bytes.Clone(b), more...)); len(found) == 0 {
			t.Errorf("nothing is found with %d bytes more", len(more))
		}
	}
}

func TestTablesThatAreNotThoseOfTheRecords(t *testing.T) {
	b := variedLog()
	other := func(n int, change func(*segment.Record)) []byte {
		return injured.Graft(t, b, seal(t, injured.WithRecord(t, b, n, change)))
	}
	for name, c := range map[string]struct {
		file []byte
		keys string
		seqs [2]uint64
		say  string
	}{
		"an entry of another key": {other(0, func(r *segment.Record) { r.Key = []byte("plaim") }), "plain plaim", [2]uint64{100, 100}, "lacks entries of records: 1"},
		"altered slots": {other(1, func(r *segment.Record) {
			r.Slots = segment.AppendSlots(nil, []segment.Slot{{Number: 1, Value: []byte("a")}, {Number: 2, Value: []byte("c")}})
		}), "slots", [2]uint64{101, 101}, "in its slots"},
		"altered expiry":  {other(2, func(r *segment.Record) { r.Expiry++ }), "expires", [2]uint64{102, 102}, "in its expiry"},
		"altered content": {other(0, func(r *segment.Record) { r.Flags ^= segment.FlagMsgpack }), "plain", [2]uint64{100, 100}, "in its flags"},
	} {
		_, found := verify(t, c.file)
		var all []string
		for _, f := range found {
			for _, k := range f.Keys {
				all = append(all, string(k))
			}
			if f.Kind != WrongTable || f.FirstSeq != c.seqs[0] || f.LastSeq != c.seqs[1] {
				t.Errorf("%s: %+v", name, f)
			}
		}
		if len(found) == 0 || strings.Join(all, " ") != c.keys || !strings.Contains(found[0].Reason, c.say) {
			t.Errorf("%s: %q, %+v", name, all, found)
		}
	}
}

// TestSummariesThatAreNotThoseOfTheRecords changes each field of the trailer by one,
// and gives it its digest and checksum again.
func TestSummariesThatAreNotThoseOfTheRecords(t *testing.T) {
	for name, b := range map[string][]byte{"log": seal(t, variedLog()), "output": output(t)} {
		h, _, err := segment.ParseHeader(b)
		if err != nil {
			t.Fatal(err)
		}
		at := len(b) - 160
		for field := range 14 {
			for _, d := range []uint64{1, ^uint64(0)} {
				c := bytes.Clone(b)
				f := c[at+8*field:]
				binary.LittleEndian.PutUint64(f, binary.LittleEndian.Uint64(f)+d)
				sum := sha256.Sum256(c[:at+112])
				copy(c[at+112:], sum[:])
				injured.PutTrailerCRC(c, h)
				_, found := verify(t, c)
				if len(found) == 0 || found[0].Kind != WrongTable && found[0].Kind != DamagedTable {
					t.Errorf("%s: field %d of the trailer, %+d: %+v", name, field, int64(d), found)
				}
			}
		}
	}
}

// TestAnOutputIsInOrder adds records of an output as they may not stand: a table
// would have them in order, so only the walk over the records can tell.
func TestAnOutputIsInOrder(t *testing.T) {
	put := func(key string, seq uint64, f segment.Flags) *segment.Record {
		return &segment.Record{Kind: segment.Put, Key: []byte(key), Seq: seq, Flags: f}
	}
	for name, second := range map[string]*segment.Record{
		"":                       put("b", 7, 0),
		"a lesser key":           put("Z", 7, 0),
		"the same record":        put("a", 5, 0),
		"a newer one of the key": put("a", 6, 0),
		"one that ends a batch":  put("b", 7, segment.FlagCommit),
		"one that vouches":       put("b", 7, segment.FlagVouch),
	} {
		w := totals{kind: segment.Output, entries: multiset{keys: newHashKeys()}}
		if err := w.add(put("a", 5, 0)); err != nil {
			t.Fatal(err)
		}
		if err := w.add(second); (err == nil) != (name == "") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestARewrittenSegmentIsNotTheOneThatWasSealed changes a value and gives it sound
// checksums: only the digest knows.
func TestARewrittenSegmentIsNotTheOneThatWasSealed(t *testing.T) {
	b := seal(t, variedLog())
	c := injured.WithRecord(t, b, 0, func(r *segment.Record) { r.Value = []byte("another val") })
	if _, found := verify(t, c); len(found) != 1 || found[0].Kind != DamagedDigest {
		t.Errorf("%+v", found)
	}
	h, n, err := segment.ParseHeader(b)
	if err != nil {
		t.Fatal(err)
	}
	h.Time++
	if _, found := verify(t, append(h.Append(nil), b[n:]...)); len(found) != 1 || found[0].Kind != DamagedDigest {
		t.Errorf("%+v", found)
	}
}

// TestDamageIsFollowedByMore damages three places at once: each is named.
func TestDamageIsFollowedByMore(t *testing.T) {
	b := fill(t, 400, 300)
	for _, off := range []int{5000, 40000} {
		b[off] ^= 1
	}
	clear(b[60000:63000])
	_, found := verify(t, b)
	if len(found) != 3 || len(found[0].Keys) != 1 || len(found[1].Keys) != 1 || len(found[2].Keys) < 9 {
		t.Fatalf("%+v", found)
	}
	if f := found[2]; f.LastSeq-f.FirstSeq+1 != uint64(len(f.Keys)) || f.Offset > 60000 {
		t.Errorf("%+v", f)
	}
}

// badDisk does not read some of its blocks.
type badDisk struct {
	b   []byte
	bad map[int64]bool // by the 4 KiB
}

var errDisk = errors.New("input/output error")

func (d badDisk) ReadAt(p []byte, off int64) (int, error) {
	for i := off / 4096; i <= (off+int64(len(p))-1)/4096; i++ {
		if d.bad[i] {
			return 0, errDisk
		}
	}
	return bytes.NewReader(d.b).ReadAt(p, off)
}

func TestWhatTheDiskDoesNotReadIsNamed(t *testing.T) {
	b := fill(t, 400, 300)
	d := badDisk{b, map[int64]bool{10: true, 11: true, 20: true}}
	_, found, err := VerifySealed(t.Context(), d, int64(len(b)), VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[Kind]int{}
	for _, f := range found {
		kinds[f.Kind]++
		if f.Kind == Unreadable && !strings.Contains(f.Reason, errDisk.Error()) {
			t.Errorf("%+v", f)
		}
	}
	if kinds[Unreadable] != 2 || kinds[DamagedRecord] != 4 || len(kinds) != 2 {
		t.Errorf("%+v", found)
	}
	all := map[int64]bool{}
	for i := range int64(len(b)/4096 + 1) {
		all[i] = true
	}
	if _, found, err := VerifySealed(t.Context(), badDisk{b, all}, int64(len(b)), VerifyOptions{}); err != nil || len(found) == 0 {
		t.Errorf("%+v, %v", found, err)
	}
}

// cancelling ends a context at its nth read.
type cancelling struct {
	io.ReaderAt
	left   int
	cancel context.CancelFunc
}

func (c *cancelling) ReadAt(p []byte, off int64) (int, error) {
	if c.left--; c.left == 0 {
		c.cancel()
	}
	return c.ReaderAt.ReadAt(p, off)
}

func TestVerifyEndsWithItsContext(t *testing.T) {
	b := fill(t, 3000, 1024)
	for n := range 12 {
		ctx, cancel := context.WithCancel(t.Context())
		_, found, err := VerifySealed(ctx, &cancelling{bytes.NewReader(b), n + 1, cancel}, int64(len(b)), VerifyOptions{})
		if !errors.Is(err, context.Canceled) || len(found) > 0 {
			t.Errorf("canceled at read %d: %+v, %v", n+1, found, err)
		}
		cancel()
	}
}

// FuzzVerify verifies any bytes. Either it is a segment as Seal would make it, byte
// for byte, or there is a finding.
func FuzzVerify(f *testing.F) {
	f.Add(seal(f, variedLog()))
	f.Add(output(f))
	f.Add(variedLog())
	f.Fuzz(func(t *testing.T, b []byte) {
		_, found := verify(t, b)
		if len(found) > 0 {
			return
		}
		r, err := segment.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		foot, err := r.OpenFooter()
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := r.Seal(foot.RecordsEnd)
		if err != nil || !bytes.Equal(again, b[foot.RecordsEnd:]) {
			t.Fatalf("no finding, and its footer is not that of its records: %v", err)
		}
	})
}

// BenchmarkVerify is to be held against BenchmarkSHA256.
func BenchmarkVerify(b *testing.B) {
	for _, size := range []int{128, 1024, 16 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			file := fill(b, 64<<20/(size+60), size)
			b.SetBytes(int64(len(file)))
			b.ReportAllocs()
			for b.Loop() {
				if _, found := verify(b, file); len(found) > 0 {
					b.Fatal(found)
				}
			}
		})
	}
}

// BenchmarkSHA256 reads as sha256sum does.
func BenchmarkSHA256(b *testing.B) {
	file := make([]byte, 64<<20)
	b.SetBytes(int64(len(file)))
	buf := make([]byte, 32<<10)
	for b.Loop() {
		h := sha256.New()
		if _, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{bytes.NewReader(file)}, buf); err != nil {
			b.Fatal(err)
		}
	}
}
