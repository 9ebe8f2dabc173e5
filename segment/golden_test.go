package segment

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write golden files that are not there; never changes one that is")

const goldenDir = "testdata/v1"

// goldenFiles are the files of format v1, by name, and how each is built.
var goldenFiles = map[string]func(testing.TB) []byte{
	"small.seg":   goldenSmall,
	"log.seg":     goldenLog,
	"torn.open":   goldenTorn,
	"closed.open": goldenClosed,
	"output.seg":  goldenOutput,
	"empty.seg":   goldenEmpty,
	"blocks.seg":  goldenBlocks,
}

var goldenUUID = UUID{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0x4c, 0xde, 0x8f, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd}

// goldenTime is 2026-01-02 03:04:05 UTC.
const goldenTime = 1_767_323_045_000_000_000

// layOut writes header and records; commit times rise from goldenTime, and each
// record that vouches does so for all before it.
func layOut(h *Header, recs ...Record) []byte {
	b := h.Append(nil)
	for i := range recs {
		r := &recs[i]
		if r.Commit() {
			r.Time = goldenTime + int64(i)*1000
		}
		if r.Vouches() {
			r.Vouch = int64(len(b))
		}
		b = h.ChecksumSeed().AppendRecord(b, int64(len(b)), r)
	}
	return b
}

func endRecord(seq uint64, next Ref) Record {
	r := Record{Seq: seq}
	r.SetEnd(next)
	return r
}

// goldenSmall is the segment that docs/format.md prints.
func goldenSmall(t testing.TB) []byte {
	h := &Header{Head: Head{Kind: Log, UUID: goldenUUID, Ref: Ref{0xa1b2c3d4e5f60718, 1}, FirstSeq: 1, Time: goldenTime, NextID: 2}}
	return testSeal(t, layOut(h,
		Record{Kind: Put, Flags: FlagVouch | FlagCommit, Seq: 1, Key: []byte("greeting"), Value: []byte("hello")},
		Record{Kind: Put, Seq: 2, Key: []byte("greedy"), Value: []byte("first of a batch")},
		Record{Kind: Delete, Flags: FlagCommit, Seq: 3, Key: []byte("greeting")},
		endRecord(4, Ref{0xa1b2c3d4e5f60718, 2}),
	))
}

// goldenLog holds every kind and field of a log that was rolled.
func goldenLog(t testing.TB) []byte {
	edit := Record{Seq: 1005}
	edit.SetEdit(EditSet{Retire: []Ref{{0x1234, 1}, {0x1234, 2}}, Adopt: []Ref{{0xabcdef, 44}}})
	slots := AppendSlots(nil, []Slot{{0, nil}, {1, []byte("a")}, {1, []byte("b")}, {255, []byte("z\x00")}})
	return testSeal(t, layOut(testHeader(),
		Record{Kind: Put, Flags: FlagVouch | FlagCommit, Seq: 1000, Key: []byte("raw"), Value: []byte("a raw value")},
		Record{Kind: Put, Flags: FlagCommit | FlagMsgpack, Seq: 1001, Key: []byte("packed"), Value: []byte{0x81, 0xa1, 'n', 0x07},
			Meta: []byte{0x80}, Slots: slots, Expiry: goldenTime + 1e9},
		Record{Kind: Put, Flags: FlagVouch, Seq: 1002, Key: []byte("raw")},
		Record{Kind: Delete, Seq: 1003, Key: []byte("packed")},
		Record{Kind: Put, Flags: FlagCommit, Seq: 1004, Key: []byte{0, 0xff}, Value: []byte("last of a batch"), Meta: []byte{0xc0}},
		Record{Kind: Mark, Flags: FlagCommit | FlagVouch, Seq: 1005},
		edit,
		Record{Kind: Mark, Flags: FlagCommit | FlagVouch, Seq: 1005},
		endRecord(1005, Ref{0xabcdef, 43}),
	))
}

// goldenTorn is a log that a crash cut off within its last record.
func goldenTorn(testing.TB) []byte {
	b := layOut(testHeader(),
		Record{Kind: Put, Flags: FlagVouch | FlagCommit, Seq: 1000, Key: []byte("kept"), Value: []byte("kept")},
		Record{Kind: Put, Flags: FlagCommit, Seq: 1001, Key: []byte("torn"), Value: []byte("torn")},
	)
	return b[:len(b)-5]
}

// goldenClosed is a log that was closed in order.
func goldenClosed(testing.TB) []byte {
	shut := Record{Seq: 2}
	shut.SetClose(123456, goldenTime)
	h := &Header{Head: Head{Kind: Log, UUID: goldenUUID, Ref: Ref{5, 1}, FirstSeq: 1, Time: goldenTime, NextID: 2}}
	return layOut(h,
		Record{Kind: Put, Flags: FlagVouch | FlagCommit, Seq: 1, Key: []byte("k"), Value: []byte("v")}, shut, shut)
}

// goldenOutput is a compaction's: in key order, numbers far apart, no commits.
func goldenOutput(t testing.TB) []byte {
	h := &Header{Head: Head{Kind: Output, UUID: goldenUUID, Ref: Ref{5, 9}, FirstSeq: 10, Time: goldenTime}}
	return testSeal(t, layOut(h,
		Record{Kind: Put, Seq: 10 + 1<<33, Key: []byte("apple"), Value: []byte("wide")},
		Record{Kind: Put, Flags: FlagMsgpack, Seq: 10, Key: []byte("apple"), Value: []byte{0xc3}},
		Record{Kind: Delete, Seq: 12 + 1<<32, Key: []byte("apricot")},
		Record{Kind: Put, Seq: 11, Key: []byte("banana"), Expiry: goldenTime + 1},
	))
}

// goldenEmpty is an output of nothing: a table without blocks.
func goldenEmpty(t testing.TB) []byte {
	return testSeal(t, layOut(&Header{Head: Head{Kind: Output, UUID: goldenUUID, Ref: Ref{5, 9}, FirstSeq: 10, Time: goldenTime}}))
}

// goldenBlocks has a table of several blocks: one key whose versions go over
// from block to block, and an entry larger than a block.
func goldenBlocks(t testing.TB) []byte {
	var recs []Record
	put := func(key string, slot int) {
		r := Record{Kind: Put, Flags: FlagCommit, Seq: uint64(len(recs)) + 1, Key: []byte(key)}
		if slot > 0 {
			r.Slots = AppendSlots(nil, []Slot{{3, bytes.Repeat([]byte{byte(len(recs))}, slot)}})
		}
		recs = append(recs, r)
	}
	for range 6 {
		put("many versions", 5000)
	}
	put("large "+strings.Repeat("k", maxBlock+100), 0)
	for i := range 40 {
		put(fmt.Sprintf("z/%02d", i), 10)
	}
	put("a", 0)
	recs = append(recs, endRecord(uint64(len(recs))+1, Ref{5, 2}))
	h := &Header{Head: Head{Kind: Log, UUID: goldenUUID, Ref: Ref{5, 1}, FirstSeq: 1, Time: goldenTime, NextID: 2}}
	return testSeal(t, layOut(h, recs...))
}

func golden(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(goldenDir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestGoldenFilesAreStillWritten holds the writer to the bytes of v1.
func TestGoldenFilesAreStillWritten(t *testing.T) {
	for name, build := range goldenFiles {
		path, got := filepath.Join(goldenDir, name), build(t)
		if _, err := os.Stat(path); *update && os.IsNotExist(err) {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want := golden(t, name); !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes built, %d in the file, the first other one at %d; golden files never change",
				name, len(got), len(want), shared(got, want))
		}
	}
	files, err := os.ReadDir(goldenDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if goldenFiles[f.Name()] == nil {
			t.Errorf("%s is built by no test", f.Name())
		}
	}
}

// TestGoldenFilesReadBack holds the reader to them: what it reads is written
// to the very same bytes again.
func TestGoldenFilesReadBack(t *testing.T) {
	for name := range goldenFiles {
		b := golden(t, name)
		got, err := reencode(b)
		if name == "torn.open" {
			if err == nil {
				t.Error("a torn record was read")
			}
			continue
		}
		if err != nil || !bytes.Equal(got, b) {
			t.Errorf("%s: %d bytes came back as %d, the first other one at %d (%v)", name, len(b), len(got), shared(got, b), err)
		}
	}
}

// reencode reads all of a segment and writes it again.
func reencode(b []byte) ([]byte, error) {
	r, err := NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	f, err := r.OpenFooter()
	if err != nil && err != ErrNoFooter {
		return nil, err
	}
	end := r.Size
	if f != nil {
		end = f.RecordsEnd
	}
	out := r.Header.Append(nil)
	for rec, err := range r.Records(Span{To: end, Depth: WithValues}) {
		if err != nil {
			return out, err
		}
		if rec.Kind == Edit {
			e, err := rec.ParseEdit()
			if err != nil {
				return out, err
			}
			rec.SetEdit(e)
		}
		out = r.seed.AppendRecord(out, rec.Offset, rec)
	}
	if f == nil {
		return out, nil
	}
	footer, err := reencodeFooter(f)
	return append(out, footer...), err
}

// reencodeFooter writes a footer from its entries and its summary.
func reencodeFooter(f *Footer) ([]byte, error) {
	t := &tableWriter{place: f.r.seed, base: f.RecordsEnd}
	c := f.Cursor()
	for c.Next() {
		e := c.Entry
		e.Key, e.Slots = bytes.Clone(e.Key), bytes.Clone(e.Slots)
		t.add(&e)
	}
	b := t.finish(&f.Summary)
	return appendDigest(b, f.r.seed, f.RecordsEnd+int64(len(b)-digestAt), f.SHA256), c.Err()
}
