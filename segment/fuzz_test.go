package segment

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// eachGolden calls add with each small golden file.
func eachGolden(f *testing.F, add func([]byte)) {
	for name := range goldenFiles {
		if b := golden(f, name); len(b) < 2000 {
			add(b)
		}
	}
}

// FuzzHeader: a header that parses is written to the same bytes. The checksum
// is made right, so that the search is for what stands behind it.
func FuzzHeader(f *testing.F) {
	eachGolden(f, func(b []byte) { f.Add(b[:min(len(b), 300)]) })
	f.Fuzz(func(t *testing.T, b []byte) {
		b = bytes.Clone(b)
		if n, err := HeaderSize(b); err == nil && n <= len(b) {
			le.PutUint32(b[n-crcSize:], crcAt(ChecksumSeed{}, 0, b[:n-crcSize]))
		}
		h, n, err := ParseHeader(b)
		if err == nil && !bytes.Equal(h.Append(nil), b[:n]) {
			t.Errorf("%+v is not written as it was read", h)
		}
		if err == nil && h.Check() != nil {
			t.Errorf("read a header that Check refuses: %v", h.Check())
		}
	})
}

// FuzzRecord: a record that parses is written to the same bytes, and passes
// the writer's own check.
func FuzzRecord(f *testing.F) {
	const off = 1 << 20
	p := testHeader().ChecksumSeed()
	eachGolden(f, func(b []byte) {
		if r, err := NewReader(bytes.NewReader(b), int64(len(b))); err == nil {
			for rec, err := range r.Records(Span{Depth: WithValues}) {
				if err == nil {
					f.Add(b[rec.Offset : rec.Offset+rec.Size])
				}
			}
		}
	})
	f.Fuzz(func(t *testing.T, b []byte) {
		b = bytes.Clone(b)
		fixRecord(b, p, off)
		var r Record
		if err := p.ParseRecord(b, off, &r); err != nil {
			return
		}
		if got := p.AppendRecord(nil, off, &r); !bytes.Equal(got, b[:r.Size]) {
			t.Errorf("%+v is not written as it was read:\n%x\n%x", r, got, b[:r.Size])
		}
		if err := r.Check(); err != nil {
			t.Errorf("read a record that Check refuses: %v", err)
		}
		if n := recordSize(p, &r); n != r.Size {
			t.Errorf("recordSize %d of a record of %d bytes", n, r.Size)
		}
	})
}

// FuzzRecords: a walk over any bytes ends, each record lies behind the one
// before, and damage is passed.
func FuzzRecords(f *testing.F) {
	for _, kind := range []Kind{Log, Output} {
		eachGolden(f, func(b []byte) {
			if r, err := NewReader(bytes.NewReader(b), int64(len(b))); err == nil {
				f.Add(byte(kind), b[r.HeaderSize:])
			}
		})
	}
	f.Fuzz(func(t *testing.T, kind byte, b []byte) {
		h := testHeader()
		if Kind(kind) == Output {
			h = &Header{Head: Head{Kind: Output, UUID: goldenUUID, Ref: Ref{5, 9}, FirstSeq: 10}}
		}
		file := append(h.Append(nil), b...)
		r, err := NewReader(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatal(err)
		}
		for _, depth := range []Depth{Heads, CheckValues, WithValues} {
			at := r.HeaderSize
			for rec, err := range r.Records(Span{Depth: depth}) {
				if c := (*CorruptError)(nil); err != nil && !errors.As(err, &c) {
					t.Fatal(err)
				} else if err != nil {
					break
				}
				if rec.Offset != at || rec.Size < MinRecord || at+rec.Size > r.Size {
					t.Fatalf("record of %d bytes at %d", rec.Size, rec.Offset)
				}
				at += rec.Size
			}
		}
		for at := r.HeaderSize; ; {
			off, _, ok, err := r.Find(at, r.Size, h.FirstSeq)
			if err != nil || ok && (off < at || off > r.Size) {
				t.Fatal(off, err)
			}
			if !ok {
				break
			}
			at = off + 1
		}
	})
}

// FuzzFooter: a footer that reads to its end is written to the same bytes. All
// its checksums are made right first, as far as its own words say where they
// are.
func FuzzFooter(f *testing.F) {
	for _, name := range []string{"log.seg", "output.seg", "empty.seg", "small.seg"} {
		b := golden(f, name)
		_, end := partOf(f, b)
		f.Add(b[:end], b[end:])
	}
	f.Fuzz(func(t *testing.T, records, footer []byte) {
		r, err := NewReader(bytes.NewReader(records), int64(len(records)))
		if err != nil {
			return
		}
		file := append(bytes.Clone(records), footer...)
		if len(footer) < trailerSize {
			return
		}
		fixFooter(file, r.seed)
		if r, err = NewReader(bytes.NewReader(file), int64(len(file))); err != nil {
			t.Skip() // a block before the records: its CRC has hit the header
		}
		foot, err := r.OpenFooter()
		if err != nil {
			return
		}
		got, err := reencodeFooter(foot)
		if err == nil && !bytes.Equal(got, file[foot.RecordsEnd:]) {
			t.Errorf("not written as it was read:\n%x\n%x", got, file[foot.RecordsEnd:])
		}
		c := foot.Cursor()
		for c.Next() && err == nil {
			e, ok, err := foot.Lookup(c.Entry.Key)
			if err != nil || !ok || e.Seq < c.Entry.Seq {
				t.Errorf("Lookup of %q: %v, %v", c.Entry.Key, ok, err)
			}
		}
	})
}

// fixFooter gives a footer at the end of b its checksums.
func fixFooter(b []byte, p ChecksumSeed) {
	at := int64(len(b) - trailerSize)
	if at < 0 {
		return
	}
	index, length := int64(le.Uint64(b[at+8:])), int64(le.Uint64(b[at+16:]))
	if index >= 0 && index < at && length == at-index && length >= crcSize {
		body := b[index : at-crcSize]
		le.PutUint32(b[at-crcSize:], crcAt(p, index, body))
		for len(body) >= indexFixed {
			off, size := int64(le.Uint64(body)), int64(le.Uint32(body[8:]))
			if off >= 0 && off < index && size >= blockFixed && size <= index-off {
				le.PutUint32(b[off:], crcAt(p, off, b[off+4:off+size]))
			}
			body = body[min(len(body), indexFixed+int(le.Uint16(body[18:]))):]
		}
	}
	fixTrailer(b, p)
}

// FuzzEdit: an edit that parses is written to the same bytes.
func FuzzEdit(f *testing.F) {
	var r Record
	r.SetEdit(EditSet{})
	f.Add(r.Value)
	r.SetEdit(EditSet{Retire: []Ref{{1, 1}, {2, 1}, {1, 2}}, Adopt: []Ref{{1, 3}}})
	f.Add(r.Value)
	f.Fuzz(func(t *testing.T, b []byte) {
		r := Record{Value: b}
		e, err := r.ParseEdit()
		if err != nil {
			return
		}
		if r.SetEdit(e); !bytes.Equal(r.Value, b) {
			t.Errorf("%+v is not written as it was read", e)
		}
	})
}

// FuzzSlots: slots that parse are written to the same bytes.
func FuzzSlots(f *testing.F) {
	f.Add([]byte{})
	f.Add(AppendSlots(nil, []Slot{{0, nil}, {1, []byte("a")}, {1, []byte("b")}, {255, []byte("z")}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, ok := ParseSlots(b)
		if ok != validSlots(b) {
			t.Error("validSlots and ParseSlots disagree")
		}
		if ok && !bytes.Equal(AppendSlots(nil, s), b) {
			t.Errorf("%+v is not written as it was read", s)
		}
	})
}

// FuzzDescribe: any bytes are described, and covered by items.
func FuzzDescribe(f *testing.F) {
	eachGolden(f, func(b []byte) { f.Add(b) })
	f.Fuzz(func(t *testing.T, b []byte) {
		tiles(t, b)
		if err := Describe(io.Discard, bytes.NewReader(b), int64(len(b))); err != nil {
			t.Fatal(err)
		}
	})
}
