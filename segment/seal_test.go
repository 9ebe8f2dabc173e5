package segment

import (
	"bytes"
	"fmt"
	"testing"
)

// testSeal seals the records in b and returns the whole file.
func testSeal(t testing.TB, b []byte) []byte {
	t.Helper()
	r, err := NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	footer, sum, err := r.Seal(r.Size)
	if err != nil {
		t.Fatal(err)
	}
	if sum.FileSize != int64(len(b)+len(footer)) {
		t.Fatalf("FileSize %d, is %d", sum.FileSize, len(b)+len(footer))
	}
	return append(bytes.Clone(b), footer...)
}

// testOpen opens a sealed file.
func testOpen(t testing.TB, b []byte) *Footer {
	t.Helper()
	r, err := NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := r.OpenFooter()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestSealedLogIsReadThroughItsFooter(t *testing.T) {
	h := testHeader()
	b, recs := encode(h, testRecords())
	sealed := testSeal(t, b)
	f := testOpen(t, sealed)
	if f.Puts != 2 || f.Deletes != 1 || f.Others != 3 || f.Batches != 2 || f.FirstSeq != 1000 || f.LastSeq != 1002 ||
		f.RecordsEnd != int64(len(b)) || f.FirstTime != 2 || f.LastTime != 6 || f.PutBytes != recs[0].Size+recs[1].Size {
		t.Errorf("summary %+v", f.Summary)
	}
	if err := f.CheckDigest(); err != nil {
		t.Error(err)
	}
	var got []string
	c := f.Cursor()
	for c.Next() {
		got = append(got, fmt.Sprintf("%s %v %d", c.Entry.Key, c.Entry.Kind, c.Entry.Seq))
	}
	if want := "[k0 delete 1002 k0 put 1000 k1 put 1001]"; fmt.Sprint(got) != want || c.Err() != nil {
		t.Errorf("entries %v, want %v (%v)", got, want, c.Err())
	}
	e, ok, err := f.Lookup([]byte("k1"))
	if err != nil || !ok || e.Offset != recs[1].Offset || e.Expiry != 99 || !bytes.Equal(e.Slots, recs[1].Slots) {
		t.Errorf("lookup: %+v, %v, %v", e, ok, err)
	}
}
