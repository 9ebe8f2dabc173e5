package segment

import (
	"bytes"
	"testing"
)

func testHeader() *Header {
	return &Header{
		Head: Head{Kind: Log, UUID: UUID{1, 2, 3, 15: 16}, Ref: Ref{0xabcdef, 42}, FirstSeq: 1000, Time: 1_700_000_000_000_000_000,
			Parent: Ref{0x1234, 41}, ParentSeq: 999, Replaced: Ref{0x1234, 41}, NextID: 43},
		Live:    SetOf(Ref{0x1234, 1}, Ref{0x1234, 2}, Ref{0x1234, 3}, Ref{0x77, 5}, Ref{0x1234, 6}),
		Retired: SetOf(Ref{0x1234, 4}),
	}
}

func testRecords() []Record {
	edit := Record{Seq: 1003, Time: 13}
	edit.SetEdit(EditSet{Retire: []Ref{{0x1234, 1}, {0x1234, 2}}, Adopt: []Ref{{0xabcdef, 44}}})
	mark := Record{Kind: Mark, Flags: FlagCommit | FlagVouch, Seq: 1003, Time: 14}
	end := Record{Seq: 1003, Time: 16}
	end.SetEnd(Ref{0xabcdef, 43})
	return []Record{
		{Kind: Put, Flags: FlagVouch, Seq: 1000, Key: []byte("k0"), Value: []byte("value zero")},
		{Kind: Put, Flags: FlagCommit | FlagMsgpack, Seq: 1001, Time: 12, Key: []byte("k1"), Value: []byte{0x80},
			Expiry: 99, Meta: []byte{0xc0}, Slots: AppendSlots(nil, []Slot{{1, []byte("a")}, {2, []byte("b")}})},
		{Kind: Delete, Flags: FlagCommit, Seq: 1002, Time: 13, Key: []byte("k0")},
		edit, mark, end,
	}
}

// encode lays the records out as a log, each vouching for what is before it.
func encode(h *Header, recs []Record) ([]byte, []Record) {
	b := h.Append(nil)
	out := make([]Record, len(recs))
	for i, r := range recs {
		if r.Commit() {
			r.Time = int64(i + 1)
		}
		if r.Vouches() {
			r.Vouch = int64(len(b))
		}
		off := int64(len(b))
		b = h.ChecksumSeed().AppendRecord(b, off, &r)
		r.Offset, r.Size = off, int64(len(b))-off
		out[i] = r
	}
	return b, out
}

func TestRecordsComeBackAsWritten(t *testing.T) {
	h := testHeader()
	b, want := encode(h, testRecords())
	rd, err := NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for r, err := range rd.Records(Span{Depth: WithValues}) {
		if err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
		w := want[i]
		if r.Offset != w.Offset || r.Size != w.Size || r.Kind != w.Kind || r.Seq != w.Seq || r.Time != w.Time ||
			r.Vouch != w.Vouch || r.Expiry != w.Expiry || !bytes.Equal(r.Key, w.Key) || !bytes.Equal(r.Meta, w.Meta) ||
			!bytes.Equal(r.Slots, w.Slots) || !bytes.Equal(r.Value, w.Value) {
			t.Errorf("record %d: got %+v, want %+v", i, r, w)
		}
		if n := recordSize(h.ChecksumSeed(), &w); n != w.Size {
			t.Errorf("record %d: recordSize %d, is %d", i, n, w.Size)
		}
		i++
	}
	if i != len(want) {
		t.Fatalf("%d records, want %d", i, len(want))
	}
}

// TestAVouchTooFarBackIsNone: the distance has 32 bits. One that does not fit
// must never be read as a shorter one, which would vouch for too much.
func TestAVouchTooFarBackIsNone(t *testing.T) {
	p := testHeader().ChecksumSeed()
	for _, c := range []struct{ off, vouch, want int64 }{
		{1000, 1000, 1000}, {1000, 0, 0}, {1 << 32, 2, 2}, {1 << 32, 1, 0}, {1 << 32, 0, 0}, {1<<32 + 5000, 200, 0}, {1 << 33, 1<<32 + 2, 1<<32 + 2},
		{tooFar, 0, 0}, {tooFar - 1, 0, 0}, {tooFar, 1, 1},
	} {
		r := Record{Kind: Mark, Flags: FlagCommit | FlagVouch, Seq: 1000, Time: 1, Vouch: c.vouch}
		b := p.AppendRecord(nil, c.off, &r)
		var got Record
		if err := p.ParseRecord(b, c.off, &got); err != nil || got.Vouch != c.want {
			t.Errorf("at %d: vouches for %d, read as %d, want %d (%v)", c.off, c.vouch, got.Vouch, c.want, err)
		}
		if again := p.AppendRecord(nil, c.off, &got); !bytes.Equal(again, b) {
			t.Errorf("at %d: vouch for %d is not written as it was read", c.off, c.vouch)
		}
		r.Vouch = c.off
		set := p.AppendRecord(nil, c.off, &r)
		if p.SetVouch(set, c.off, c.vouch); !bytes.Equal(set, b) {
			t.Errorf("at %d: SetVouch(%d) differs from AppendRecord", c.off, c.vouch)
		}
	}
}

func TestFindGoesPastDamage(t *testing.T) {
	h := testHeader()
	b, recs := encode(h, testRecords())
	for i := range recs[:len(recs)-1] {
		d := bytes.Clone(b)
		d[recs[i].Offset+3] ^= 1
		rd, _ := NewReader(bytes.NewReader(d), int64(len(d)))
		off, seq, ok, err := rd.Find(recs[i].Offset, rd.Size, recs[i].Seq)
		if err != nil || !ok || off != recs[i+1].Offset || seq != recs[i+1].Seq {
			t.Errorf("damage in record %d: found %v at %d (%v), want %d", i, ok, off, err, recs[i+1].Offset)
		}
	}
}

func TestEveryFlippedByteIsSeen(t *testing.T) {
	b, _ := encode(testHeader(), testRecords())
	for i := range b {
		d := bytes.Clone(b)
		d[i] ^= 0x40
		if walkAll(d) == nil {
			t.Errorf("byte %d of %d flipped and not seen", i, len(b))
		}
	}
}

func walkAll(b []byte) error {
	rd, err := NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return err
	}
	for _, err := range rd.Records(Span{Depth: CheckValues}) {
		if err != nil {
			return err
		}
	}
	return nil
}
