package segment

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// craft writes a table of entries as they are given, sound in its checksums
// and its index, but in whatever order and form.
func craft(p ChecksumSeed, base int64, sum Summary, entries ...[]byte) []byte {
	t := &tableWriter{place: p, base: base, out: make([]byte, blockFixed), first: []byte("a"), count: len(entries)}
	for _, e := range entries {
		t.out = append(t.out, e...)
	}
	b := t.finish(&sum)
	return appendDigest(b, p, base+int64(len(b)-digestAt), sum.SHA256)
}

// TestTablesThatNoWriterWrites: what is sound by its checksums, but has
// another form or order than it must, is refused.
func TestTablesThatNoWriterWrites(t *testing.T) {
	h := &Header{Head: Head{Kind: Log, UUID: goldenUUID, Ref: Ref{5, 1}, FirstSeq: 1, Time: 1}}
	b := layOut(h, Record{Kind: Put, Flags: FlagCommit, Seq: 1, Key: []byte("a")},
		Record{Kind: Put, Flags: FlagCommit, Seq: 2, Key: []byte("ab")}, endRecord(3, Ref{5, 2}))
	_, sum, err := mustReader(t, b).Seal(int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	// 1 commit · shared · rest · key · offset 124 and 153 · size 29 and 30 · delta
	one, two := []byte("\x01\x00\x01a\x7c\x1d\x00"), []byte("\x01\x01\x01b\x99\x01\x1e\x01")
	read := func(entries ...[]byte) error {
		f, err := mustReader(t, append(bytes.Clone(b), craft(h.ChecksumSeed(), int64(len(b)), *sum, entries...)...)).OpenFooter()
		if err != nil {
			return err
		}
		c := f.Cursor()
		for c.Next() {
		}
		return c.Err()
	}
	if err := read(one, two); err != nil {
		t.Fatalf("the sound table: %v", err)
	}
	for name, second := range map[string]string{
		"a uvarint that is too long":          "\x01\x81\x00\x01b\x99\x01\x1e\x01",
		"a uvarint without end":               "\x01\x01\x01b\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
		"less shared than could be":           "\x01\x00\x02ab\x99\x01\x1e\x01",
		"more shared than there is":           "\x01\x02\x01b\x99\x01\x1e\x01",
		"a key out of order":                  "\x01\x00\x01A\x99\x01\x1e\x01",
		"the same key with a greater number":  "\x01\x01\x00\x99\x01\x1e\x01",
		"a record beyond the end":             "\x01\x01\x01b\x99\x01\x80\x02\x01",
		"a record in the header":              "\x01\x01\x01b\x10\x1e\x01",
		"an offset beyond all":                "\x01\x01\x01b\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x1e\x01",
		"a record smaller than its key":       "\x01\x01\x01b\x99\x01\x0a\x01",
		"a number beyond the last":            "\x01\x01\x01b\x99\x01\x1e\x02",
		"flag wide for a small number":        "\x05\x01\x01b\x99\x01\x1e\x01",
		"a delete with meta":                  "\x89\x01\x01b\x99\x01\x1e\x01",
		"a delete with a value":               "\x81\x01\x01b\x99\x01\x1f\x01",
		"an expiry time of zero":              "\x21\x01\x01b\x99\x01\x26\x01\x00\x00\x00\x00\x00\x00\x00\x00",
		"an expiry time cut off":              "\x21\x01\x01b\x99\x01\x26\x01\x00",
		"slots of no bytes":                   "\x11\x01\x01b\x99\x01\x20\x01\x00",
		"slots of no form":                    "\x11\x01\x01b\x99\x01\x21\x01\x01\x07",
		"slots that end too early":            "\x11\x01\x01b\x99\x01\x24\x01\x09\x01",
		"bytes after the last entry":          string(two) + "\x00",
		"a number twice":                      "\x01\x01\x01b\x99\x01\x1e\x00",
		"a delete where the summary says put": "\x81\x01\x01b\x99\x01\x1e\x01",
		"another size than the summary says":  "\x01\x01\x01b\x99\x01\x1f\x01",
		"no commit where the summary says so": "\x00\x01\x01b\x99\x01\x16\x01",
	} {
		c := (*CorruptError)(nil)
		if err := read(one, []byte(second)); !errors.As(err, &c) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBlocksAreCutWhereTheyMustBe: a block ends only where the next entry has
// no room, and never before.
func TestBlocksAreCutWhereTheyMustBe(t *testing.T) {
	b := golden(t, "log.seg")
	f := testOpen(t, b)
	w := &tableWriter{place: f.r.seed, base: f.RecordsEnd}
	for c := f.Cursor(); c.Next(); {
		e := c.Entry
		e.Key, e.Slots = bytes.Clone(e.Key), bytes.Clone(e.Slots)
		w.add(&e)
		w.closeBlock()
	}
	footer := w.finish(&f.Summary)
	footer = appendDigest(footer, f.r.seed, f.RecordsEnd+int64(len(footer)-digestAt), f.SHA256)
	o := testOpen(t, append(bytes.Clone(b[:f.RecordsEnd]), footer...))
	c := o.Cursor()
	for c.Next() {
	}
	if o.Blocks != 5 || c.Err() == nil {
		t.Errorf("%d blocks of one entry each were read: %v", o.Blocks, c.Err())
	}
}

func mustReader(t testing.TB, b []byte) *Reader {
	t.Helper()
	r, err := NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestHeadersThatNoWriterWrites: sound in the checksum, and refused.
func TestHeadersThatNoWriterWrites(t *testing.T) {
	sound := testHeader().Append(nil)
	for name, change := range map[string]func(b []byte){
		"kind 0":                      func(b []byte) { b[10] = 0 },
		"kind 3":                      func(b []byte) { b[10] = 3 },
		"a reserved byte":             func(b []byte) { b[11] = 1 },
		"version 0":                   func(b []byte) { b[8] = 0 },
		"timeline 0":                  func(b []byte) { clear(b[32:40]) },
		"id 0":                        func(b []byte) { clear(b[40:48]) },
		"first sequence number 0":     func(b []byte) { clear(b[48:56]) },
		"fewer runs than its length":  func(b []byte) { b[112]-- },
		"a run of none":               func(b []byte) { b[120+16] = 0 },
		"a run of too many":           func(b []byte) { b[120+19] = 0xff },
		"a run over the last id":      func(b []byte) { le.PutUint64(b[128:], 1<<64-2) },
		"a live segment without id":   func(b []byte) { clear(b[128:136]) },
		"a live segment twice":        func(b []byte) { b[140+8], b[140], b[141] = 3, 0x34, 0x12 },
		"live segments out of order":  func(b []byte) { b[160+8] = 1 },
		"a run that could be longer":  func(b []byte) { b[120+16], b[140+8], b[140], b[141] = 2, 3, 0x34, 0x12 },
		"a retired one of timeline 0": func(b []byte) { clear(b[180:188]) },
	} {
		b := bytes.Clone(sound)
		change(b)
		n := len(b)
		le.PutUint32(b[n-crcSize:], crcAt(ChecksumSeed{}, 0, b[:n-crcSize]))
		c := (*CorruptError)(nil)
		if _, _, err := ParseHeader(b); !errors.As(err, &c) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckRefusesWhatNoReaderWouldTake(t *testing.T) {
	key := []byte("k")
	for name, r := range map[string]Record{
		"no key":                 {Kind: Put},
		"a key too long":         {Kind: Put, Key: make([]byte, MaxKey+1)},
		"a meta too long":        {Kind: Put, Key: key, Meta: make([]byte, MaxMeta+1)},
		"slots too long":         {Kind: Put, Key: key, Slots: make([]byte, MaxSlots+1)},
		"slots of no form":       {Kind: Put, Key: key, Slots: []byte{1}},
		"slots out of order":     {Kind: Put, Key: key, Slots: AppendSlots(nil, []Slot{{2, nil}, {1, nil}})},
		"a slot twice":           {Kind: Put, Key: key, Slots: AppendSlots(nil, []Slot{{2, nil}, {2, nil}})},
		"a delete with a value":  {Kind: Delete, Key: key, Value: key},
		"a delete with meta":     {Kind: Delete, Key: key, Meta: key},
		"a delete that expires":  {Kind: Delete, Key: key, Expiry: 1},
		"a delete of msgpack":    {Kind: Delete, Key: key, Flags: FlagMsgpack},
		"a delete without a key": {Kind: Delete},
	} {
		err := r.Check()
		if large := strings.HasSuffix(name, "too long"); err == nil || errors.Is(err, ErrTooLarge) != large {
			t.Errorf("%s: %v", name, err)
		}
	}
	h := testHeader()
	if h.Live = SetOf(Ref{1, 0}); h.Check() == nil {
		t.Error("a header with a set of the id zero passes Check")
	}
}

// failing is a source that fails from an offset on.
type failing struct {
	src  io.ReaderAt
	from int64
}

var errDisk = errors.New("the disk says no")

func (f failing) ReadAt(b []byte, off int64) (int, error) {
	if off+int64(len(b)) > f.from {
		return 0, errDisk
	}
	return f.src.ReadAt(b, off)
}

// TestAReadErrorIsNeverCorruption: it says nothing of the bytes.
func TestAReadErrorIsNeverCorruption(t *testing.T) {
	data := layOut(&Header{Head: Head{Kind: Log, UUID: goldenUUID, Ref: Ref{5, 1}, FirstSeq: 1, Time: 1}},
		Record{Kind: Put, Flags: FlagCommit, Seq: 1, Key: []byte("a"), Value: make([]byte, 3*windowSize)}, endRecord(2, Ref{5, 2}))
	b := testSeal(t, data)
	is := func(what string, at int64, err error) {
		if c := (*CorruptError)(nil); !errors.Is(err, errDisk) || errors.As(err, &c) {
			t.Errorf("%s, fails from %d: %v", what, at, err)
		}
	}
	for _, at := range []int64{5000, windowSize + 1000, int64(len(data)), int64(len(b)) - 170, int64(len(b)) - 1} {
		r := mustReader(t, b)
		src := failing{r.src, at}
		r.src = src
		_, err := r.OpenFooter()
		is("OpenFooter", at, err)
		is("Describe", at, Describe(io.Discard, src, r.Size))
		if at < int64(len(data)) {
			_, _, err := r.Seal(int64(len(data)))
			is("Seal", at, err)
			_, _, _, err = r.Find(300, r.Size, 1)
			is("Find", at, err)
			for _, err := range r.Records(Span{To: int64(len(data)), Depth: WithValues}) {
				is("Records", at, err)
				break
			}
		}
	}
}

// TestValuesLargerThanTheWindow: they are checked piece by piece, and handed out
// whole.
func TestValuesLargerThanTheWindow(t *testing.T) {
	value := bytes.Repeat([]byte("varve"), windowSize)
	b := testSeal(t, layOut(&Header{Head: Head{Kind: Log, UUID: goldenUUID, Ref: Ref{5, 1}, FirstSeq: 1, Time: 1}},
		Record{Kind: Put, Flags: FlagCommit, Seq: 1, Key: []byte("a"), Value: value},
		Record{Kind: Put, Flags: FlagCommit, Seq: 2, Key: bytes.Repeat([]byte("k"), MaxKey), Meta: make([]byte, MaxMeta),
			Slots: AppendSlots(nil, []Slot{{1, make([]byte, MaxSlots-slotFixed)}}), Value: value}, endRecord(3, Ref{5, 2})))
	got, err := reencode(b)
	if err != nil || !bytes.Equal(got, b) {
		t.Fatalf("not the same bytes again: %v", err)
	}
	f := testOpen(t, b)
	if err := f.CheckDigest(); err != nil {
		t.Error(err)
	}
	rec, err := f.r.RecordAt(124, f.RecordsEnd)
	if err != nil || !bytes.Equal(rec.Value, value) || string(rec.Key) != "a" {
		t.Errorf("RecordAt: %v", err)
	}
	for _, at := range []int64{200, windowSize * 2, f.RecordsEnd - 60} {
		b[at] ^= 1
		for _, depth := range []Depth{CheckValues, WithValues} {
			var last error
			for _, last = range f.r.Records(Span{To: f.RecordsEnd, Depth: depth}) {
			}
			if c := (*CorruptError)(nil); !errors.As(last, &c) || len(c.Keys) != 1 || c.FirstSeq == 0 || !strings.Contains(last.Error(), "at stake") {
				t.Errorf("byte %d flipped: %v", at, last)
			}
		}
		b[at] ^= 1
	}
}

// TestALargePutAfterALargeEdit: the edit's value, a little smaller than the
// window, leaves a buffer that is too small for the pieces of the put's.
func TestALargePutAfterALargeEdit(t *testing.T) {
	edit := Record{Seq: 1}
	var refs []Ref
	for i := range (windowSize - editFixed - 8) / refSize {
		refs = append(refs, Ref{1, ID(i + 1)})
	}
	edit.SetEdit(EditSet{Retire: refs})
	h := &Header{Head: Head{Kind: Log, UUID: goldenUUID, Ref: Ref{5, 1}, FirstSeq: 1, Time: 1}}
	b := layOut(h, edit, Record{Kind: Put, Flags: FlagCommit, Seq: 1, Key: []byte("k"), Value: make([]byte, 2*windowSize)}, endRecord(2, Ref{5, 2}))
	if r := mustReader(t, b); len(edit.Value) >= windowSize || int64(len(edit.Value))+recordFixed+timeSize <= windowSize {
		t.Fatalf("an edit of %d bytes does not test this", len(edit.Value))
	} else if _, _, err := r.Seal(r.Size); err != nil {
		t.Error(err)
	}
}
