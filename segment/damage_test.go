package segment

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// injured says which of the ways to read a sealed file notice an injury.
type injured struct {
	header, records, footer, table, digest error
}

func examine(b []byte) (x injured) {
	r, err := NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return injured{header: err}
	}
	f, err := r.OpenFooter()
	if err != nil {
		x.footer = err
	}
	end := r.Size
	if f != nil {
		end = f.RecordsEnd
		c := f.Cursor()
		for c.Next() {
		}
		x.table, x.digest = c.Err(), f.CheckDigest()
	}
	for _, err := range r.Records(Span{To: end, Depth: CheckValues}) {
		if err != nil {
			x.records = err
		}
	}
	return x
}

// partOf returns where the records of a sound file begin and end.
func partOf(t testing.TB, b []byte) (from, to int) {
	f := testOpen(t, b)
	return int(f.r.HeaderSize), int(f.RecordsEnd)
}

func TestEachFlipIsNoticedByWhoeverReadsThere(t *testing.T) {
	for name, step := range map[string]int{"small.seg": 1, "log.seg": 1, "output.seg": 1, "empty.seg": 1, "blocks.seg": 1999} {
		b := golden(t, name)
		from, to := partOf(t, b)
		bits := 8
		if step > 1 {
			bits = 1
		}
		for i := 0; i < len(b); i += step {
			for bit := range bits {
				b[i] ^= 1 << bit
				x := examine(b)
				b[i] ^= 1 << bit
				var must error
				switch {
				case i < from:
					must = x.header
				case i < to:
					must = x.records
					if x.digest == nil || x.footer != nil || x.table != nil {
						t.Errorf("%s, byte %d bit %d, in a record: %+v", name, i, bit, x)
					}
				default:
					must = errors.Join(x.footer, x.table)
				}
				if must == nil {
					t.Errorf("%s, byte %d bit %d: flipped and not noticed: %+v", name, i, bit, x)
				}
			}
		}
	}
}

func TestEachCutOfASealedFileIsNoticed(t *testing.T) {
	for _, name := range []string{"small.seg", "log.seg", "output.seg", "empty.seg"} {
		b := golden(t, name)
		from, _ := partOf(t, b)
		for n := range b {
			x := examine(b[:n:n])
			if n < from && x.header == nil || n >= from && !errors.Is(x.footer, ErrNoFooter) {
				t.Errorf("%s cut at %d: %+v", name, n, x)
			}
		}
	}
}

func TestAppendedBytesHideTheFooter(t *testing.T) {
	b := append(golden(t, "small.seg"), 0)
	if x := examine(b); !errors.Is(x.footer, ErrNoFooter) {
		t.Errorf("a byte too many: %+v", x)
	}
}

// TestNewerVersionsAreNotCorrupt: the checksums of a newer format are over its own
// number, or over other bytes.
func TestNewerVersionsAreNotCorrupt(t *testing.T) {
	for _, v := range []uint16{2, 3, 256, 1<<16 - 1} {
		b := asVersion(golden(t, "small.seg"), v, Version)
		if x := examine(b); !errors.Is(x.header, ErrVersion) {
			t.Errorf("header of version %d: %v", v, x.header)
		}
		for _, n := range []int{16, 50, 119, 123} {
			if x := examine(b[:n]); !errors.Is(x.header, ErrVersion) {
				t.Errorf("header of version %d, cut at %d: %v", v, n, x.header)
			}
		}
		b[12]++ // a length that is none of version 1
		if x := examine(b); !errors.Is(x.header, ErrVersion) {
			t.Errorf("header of version %d, of another form: %v", v, x.header)
		}
		b = asVersion(golden(t, "small.seg"), Version, v)
		if x := examine(b); x.header != nil || !errors.Is(x.footer, ErrVersion) {
			t.Errorf("footer of version %d: %v", v, x.footer)
		}
	}
}

// TestADamagedVersionIsCorrupt: with the number put back, the checksum holds.
func TestADamagedVersionIsCorrupt(t *testing.T) {
	b := golden(t, "log.seg")
	for bit := range 16 {
		for _, at := range []int{8, len(b) - 12} {
			b[at+bit/8] ^= 1 << (bit % 8)
			x := examine(b)
			b[at+bit/8] ^= 1 << (bit % 8)
			c := (*CorruptError)(nil)
			if err := errors.Join(x.header, x.footer); !errors.As(err, &c) || errors.Is(err, ErrVersion) || !strings.Contains(c.Reason, "version") {
				t.Errorf("bit %d of the version at %d: %v", bit, at, err)
			}
		}
	}
}

func TestErrorsNameTheSegment(t *testing.T) {
	b := golden(t, "small.seg")
	for _, at := range []int{150, len(b) - 60, len(b) - 200} {
		b[at] ^= 1
		x := examine(b)
		b[at] ^= 1
		c := (*CorruptError)(nil)
		if err := errors.Join(x.records, x.footer, x.table); !errors.As(err, &c) || c.Segment.ID != 1 {
			t.Errorf("byte %d: %v", at, err)
		}
	}
}

// TestSealReadsTheFooterBack corrupts each byte of a footer after it was
// encoded: Seal must not return it.
func TestSealReadsTheFooterBack(t *testing.T) {
	b := golden(t, "log.seg")
	_, to := partOf(t, b)
	r, err := NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(b) - to {
		footer, _, err := r.seal(int64(to), func(f []byte) { f[i] ^= 0x10 })
		if err == nil || footer != nil {
			t.Errorf("byte %d of the footer corrupted, and sealed", i)
		}
	}
	// A footer that is sound in itself, but not what the records say.
	other := bytes.Clone(b)
	footer, _, err := r.seal(int64(to), func(f []byte) {
		o := testOpen(t, other)
		copy(f, mustReencode(t, o, func(e *Entry) { e.Size-- }))
	})
	if err == nil || footer != nil {
		t.Error("a footer of other entries was sealed")
	}
}

// mustReencode writes a footer again with its last put changed.
func mustReencode(t testing.TB, f *Footer, change func(*Entry)) []byte {
	t.Helper()
	w := &tableWriter{place: f.r.seed, base: f.RecordsEnd}
	c, sum := f.Cursor(), f.Summary
	for n := int64(1); c.Next(); n++ {
		e := c.Entry
		e.Key, e.Slots = bytes.Clone(e.Key), bytes.Clone(e.Slots)
		if n == f.Entries() {
			sum.PutBytes -= e.Size
			change(&e)
			sum.PutBytes += e.Size
		}
		w.add(&e)
	}
	b := w.finish(&sum)
	return appendDigest(b, f.r.seed, f.RecordsEnd+int64(len(b)-digestAt), sum.SHA256)
}

func TestSealRefusesWhatIsNotFinished(t *testing.T) {
	log := &Header{Head: Head{Kind: Log, UUID: goldenUUID, Ref: Ref{5, 1}, FirstSeq: 1, Time: 1}}
	out := &Header{Head: Head{Kind: Output, UUID: goldenUUID, Ref: Ref{5, 1}, FirstSeq: 1, Time: 1}}
	put := func(seq uint64, key string, f Flags) Record {
		return Record{Kind: Put, Flags: f, Seq: seq, Key: []byte(key)}
	}
	badEdit := Record{Kind: Edit, Flags: FlagCommit, Seq: 1, Value: make([]byte, 9)}
	for name, b := range map[string][]byte{
		"a log without records":              layOut(log),
		"a log without an end":               layOut(log, put(1, "a", FlagCommit)),
		"an end within a batch":              layOut(log, put(1, "a", 0), endRecord(2, Ref{5, 2})),
		"an edit that says nothing":          layOut(log, badEdit, endRecord(1, Ref{5, 2})),
		"a record after the end":             layOut(log, endRecord(1, Ref{5, 2}), put(1, "a", FlagCommit)),
		"a gap in the sequence numbers":      layOut(log, put(2, "a", FlagCommit), endRecord(3, Ref{5, 2})),
		"an output with commits":             layOut(out, put(1, "a", FlagCommit)),
		"an output with an end":              layOut(out, endRecord(1, Ref{5, 2})),
		"an output out of order":             layOut(out, put(1, "b", 0), put(2, "a", 0)),
		"an output with the older one first": layOut(out, put(1, "b", 0), put(2, "b", 0)),
		"an output with a record twice":      layOut(out, put(1, "b", 0), put(1, "b", 0)),
		"a record cut off":                   layOut(out, put(1, "b", 0))[:130],
		"a bad value": func() []byte {
			b := layOut(out, Record{Kind: Put, Seq: 1, Key: []byte("k"), Value: []byte("v")})
			b[len(b)-1] ^= 1
			return b
		}(),
	} {
		r, err := NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(name, err)
		}
		c := (*CorruptError)(nil)
		if footer, _, err := r.Seal(r.Size); footer != nil || !errors.As(err, &c) || c.Segment != (Ref{5, 1}) {
			t.Errorf("%s: sealed, or another error: %v", name, err)
		}
	}
}

// TestTheWalkEndsInCorruptionWhereverALogIsCut is what recovery tells a torn
// tail by: a cut is never another error, and what is whole before it is read.
func TestTheWalkEndsInCorruptionWhereverALogIsCut(t *testing.T) {
	b, recs := encode(testHeader(), testRecords())
	for n := int(recs[0].Offset); n < len(b); n++ {
		r, err := NewReader(bytes.NewReader(b), int64(n))
		if err != nil {
			t.Fatal(err)
		}
		for _, depth := range []Depth{Heads, CheckValues, WithValues} {
			at, c := recs[0].Offset, (*CorruptError)(nil)
			for rec, err := range r.Records(Span{Depth: depth}) {
				if err == nil {
					at = rec.Offset + rec.Size
				} else if !errors.As(err, &c) || c.Offset != at {
					t.Errorf("cut at %d: %v, want damage at %d", n, err, at)
				}
			}
			if (c == nil) != (at == int64(n)) {
				t.Errorf("cut at %d: read up to %d, then %v", n, at, c)
			}
		}
	}
}

func TestDescribeGoesPastDamage(t *testing.T) {
	b := golden(t, "log.seg")
	for _, at := range []int{255, 300 + 16, 345, 440} {
		b[at] ^= 1
	}
	got := describe(t, b)
	for _, want := range []string{
		`put at 204`, "! 67 bytes that are no record at 250: record checksum", `put at 317`,
		"! 26 bytes that are no record at 344", "edit at 450", "successor", "BAD", "! SHA-256", "block at 614",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}
