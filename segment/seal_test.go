package segment

import (
	"bytes"
	"fmt"
	"math/rand/v2"
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

// testLog lays out n records of random keys as a log.
func testLog(n int, key func(i int) []byte, value []byte) []byte {
	h := &Header{Kind: Log, UUID: UUID{7}, Ref: Ref{9, 1}, FirstSeq: 1, Time: 1, NextID: 2}
	b := h.Append(make([]byte, 0, n*(len(value)+80)))
	p := h.Place()
	for i := range n {
		b = p.AppendRecord(b, int64(len(b)), &Record{
			Kind: Put, Flags: FlagCommit, Seq: uint64(i) + 1, Time: int64(i) + 1, Key: key(i), Value: value,
		})
	}
	end := Record{Seq: uint64(n) + 1, Time: int64(n) + 1, Vouch: int64(len(b))}
	end.SetEnd(Ref{9, 2})
	return p.AppendRecord(b, int64(len(b)), &end)
}

func randomKeys() func(int) []byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	return func(int) []byte { return fmt.Appendf(nil, "%016x", rnd.Uint64()) }
}

func benchSeal(b *testing.B, n int, key func(int) []byte, size int) {
	data := testLog(n, key, make([]byte, size))
	r, err := NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := r.Seal(r.Size); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSeal64MiB(b *testing.B) {
	const size = 64 << 20
	b.Run("random keys", func(b *testing.B) { benchSeal(b, size/172, randomKeys(), 128) })
	b.Run("rising keys", func(b *testing.B) {
		benchSeal(b, size/172, func(i int) []byte { return fmt.Appendf(nil, "user/%011d", i) }, 128)
	})
	b.Run("values of 4 KiB", func(b *testing.B) { benchSeal(b, size/4140, randomKeys(), 4096) })
}

func BenchmarkCursor(b *testing.B) {
	const n = 1 << 20
	f := testOpen(b, testSeal(b, testLog(n, randomKeys(), nil)))
	b.ReportAllocs()
	for b.Loop() {
		c, seen := f.Cursor(), 0
		for c.Next() {
			seen++
		}
		if seen != n || c.Err() != nil {
			b.Fatal(seen, c.Err())
		}
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds()/1e6, "Mentries/s")
}

func BenchmarkLookup(b *testing.B) {
	key, n := randomKeys(), 1<<18
	var keys [][]byte
	f := testOpen(b, testSeal(b, testLog(n, func(i int) []byte { keys = append(keys, key(i)); return keys[i] }, nil)))
	i := 0
	for b.Loop() {
		if _, ok, err := f.Lookup(keys[i%n]); !ok || err != nil {
			b.Fatal(ok, err)
		}
		i += 7919
	}
}
