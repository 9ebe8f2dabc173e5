package segment

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// testLog lays out n records of random keys as a log.
func testLog(n int, key func(i int) []byte, value []byte) []byte {
	h := &Header{Head: Head{Kind: Log, UUID: UUID{7}, Ref: Ref{9, 1}, FirstSeq: 1, Time: 1, NextID: 2}}
	b := h.Append(make([]byte, 0, n*(len(value)+80)))
	p := h.ChecksumSeed()
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

func BenchmarkRecords64MiB(b *testing.B) {
	data := testLog(64<<20/172, randomKeys(), make([]byte, 128))
	r, err := NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		b.Fatal(err)
	}
	for depth, name := range map[Depth]string{Heads: "heads", CheckValues: "check values", WithValues: "with values"} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(r.Size)
			for b.Loop() {
				for _, err := range r.Records(Span{Depth: depth}) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

func BenchmarkParseRecord(b *testing.B) {
	h := testHeader()
	p := h.ChecksumSeed()
	data := p.AppendRecord(nil, 4096, &Record{
		Kind: Put, Flags: FlagCommit, Seq: 1000, Time: 1, Key: make([]byte, 16), Value: make([]byte, 128),
	})
	var r Record
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if err := p.ParseRecord(data, 4096, &r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendRecord(b *testing.B) {
	p := testHeader().ChecksumSeed()
	r := Record{Kind: Put, Flags: FlagCommit, Seq: 1000, Time: 1, Key: make([]byte, 16), Value: make([]byte, 128)}
	var buf []byte
	for b.Loop() {
		buf = p.AppendRecord(buf[:0], 4096, &r)
	}
	b.SetBytes(int64(len(buf)))
}

// BenchmarkFind looks through values in which no record begins.
func BenchmarkFind(b *testing.B) {
	data := testHeader().Append(nil)
	rnd := rand.New(rand.NewPCG(3, 4))
	for len(data) < 16<<20 {
		data = le.AppendUint64(data, rnd.Uint64())
	}
	for _, kind := range []Kind{Log, Output} {
		b.Run(kind.String(), func(b *testing.B) {
			h := testHeader()
			h.Kind = kind
			r := ReaderFor(&h.Head, bytes.NewReader(data), int64(len(data)))
			b.SetBytes(r.Size)
			for b.Loop() {
				if _, _, ok, err := r.Find(300, r.Size, 1001); ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}
