package integrity

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/varve-db/varve/segment"
)

// logOf writes a log of n commits, each of a few objects, in writes of several
// commits whose first record vouches for what was written before.
func logOf(n int) (h *segment.Header, b []byte) {
	h = &segment.Header{Head: segment.Head{Kind: segment.Log, UUID: segment.UUID{1, 2, 3}, Ref: segment.Ref{Timeline: 7, ID: 4}, FirstSeq: 10, Time: 1,
		NextID: 5}, Live: segment.SetOf(segment.Ref{Timeline: 7, ID: 1})}
	b = h.Append(nil)
	seq := h.FirstSeq
	for i := range n {
		for j := range 1 + i%3 {
			r := segment.Record{Kind: segment.Put, Key: fmt.Appendf(nil, "key %d", i), Value: bytes.Repeat([]byte("v"), i%50), Seq: seq}
			if j == 0 && i%2 == 0 {
				r.Flags, r.Vouch = segment.FlagVouch, int64(len(b))
			}
			if j == i%3 {
				r.Flags |= segment.FlagCommit
				r.Time = int64(i) + 2
			}
			b = h.ChecksumSeed().AppendRecord(b, int64(len(b)), &r)
			seq++
		}
	}
	return h, b
}

// closedLog adds the records of a close in order.
func closedLog(n int) []byte {
	h, b := logOf(n)
	off := int64(len(b))
	v, _ := judgeBytes(b, Log)
	for i := range int64(2) {
		r := segment.Record{Seq: v.NextSeq, Time: v.LastTime + 1 + i, Vouch: off}
		r.SetClose(5, 6)
		b = h.ChecksumSeed().AppendRecord(b, int64(len(b)), &r)
	}
	return b
}

func judgeBytes(b []byte, level Level) (*Verdict, error) {
	r, err := segment.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	return Judge(nil, r, level)
}

// ends returns where batches end, and where each record that vouches does.
func ends(t *testing.T, b []byte) (batches []int64, vouches map[int64]int64) {
	t.Helper()
	r, err := segment.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	vouches = map[int64]int64{}
	batches = append(batches, r.HeaderSize)
	for rec, err := range r.Records(segment.Span{Depth: segment.CheckValues}) {
		if err != nil {
			t.Fatal(err)
		}
		if rec.Commit() {
			batches = append(batches, rec.Offset+rec.Size)
		}
		if rec.Vouches() {
			vouches[rec.Offset] = rec.Vouch
		}
	}
	return batches, vouches
}

// TestEveryFlipIsDamageOrTorn flips each byte of a log: below the newest vouched
// offset it is damage, above it the log ends before it.
func TestEveryFlipIsDamageOrTorn(t *testing.T) {
	for _, closed := range []bool{false, true} {
		_, b := logOf(24)
		if closed {
			b = closedLog(24)
		}
		batches, vouches := ends(t, b)
		hdr := batches[0]
		for at := hdr; at < int64(len(b)); at++ {
			c := bytes.Clone(b)
			c[at] ^= 1 << (at % 8)
			durable, end := int64(0), hdr
			for off, v := range vouches {
				if next := recordEnd(t, b, off); off > at || next <= at {
					durable = max(durable, v)
				}
			}
			for _, e := range batches {
				if e <= at {
					end = e
				}
			}
			for _, level := range []Level{Tail, Log} {
				v, err := judgeBytes(c, level)
				var damage *segment.CorruptError
				switch {
				case at < durable && !errors.As(err, &damage):
					t.Fatalf("closed %v, level %v, byte %d of %d, durable up to %d: %+v, %v", closed, level, at, len(b), durable, v, err)
				case at >= durable && (err != nil || v.Torn == "" || v.End != end || v.Closed):
					t.Fatalf("closed %v, level %v, byte %d of %d, durable up to %d: %+v, %v; want the end %d", closed, level, at, len(b), durable, v, err, end)
				}
			}
		}
	}
}

func recordEnd(t *testing.T, b []byte, off int64) int64 {
	t.Helper()
	r, err := segment.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	rec, err := r.RecordAt(off, r.Size)
	if err != nil {
		t.Fatal(err)
	}
	return off + rec.Size
}

// TestEveryCutEndsAtABatch cuts a log at every length.
func TestEveryCutEndsAtABatch(t *testing.T) {
	_, b := logOf(24)
	batches, _ := ends(t, b)
	for n := batches[0]; n <= int64(len(b)); n++ {
		v, err := judgeBytes(b[:n], Log)
		if err != nil {
			t.Fatalf("cut to %d: %v", n, err)
		}
		end := batches[0]
		for _, e := range batches {
			if e <= n {
				end = e
			}
		}
		if v.End != end || (v.Torn == "") != (end == n) {
			t.Fatalf("cut to %d: %+v, want the end %d", n, v, end)
		}
	}
}

// FuzzJudge judges any bytes after a sound header. What it takes for whole must
// be so when it is judged again by itself, and no batch be in part.
func FuzzJudge(f *testing.F) {
	_, b := logOf(12)
	f.Add(b, uint8(0))
	f.Add(closedLog(9), uint8(2))
	f.Fuzz(func(t *testing.T, b []byte, level uint8) {
		r, err := segment.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		if err := JudgeHeaderless(segment.ReaderFor(&r.Header.Head, bytes.NewReader(b), r.Size)); err != nil && !isDamage(err) {
			t.Errorf("headerless: %v", err)
		}
		v, err := Judge(nil, r, Level(level%3))
		if err != nil {
			if !isDamage(err) {
				t.Errorf("no damage: %v", err)
			}
			return
		}
		if v.End > r.Size || v.End < r.HeaderSize || v.NextSeq < r.Header.FirstSeq || v.Durable > v.End {
			t.Fatalf("%+v of %d bytes", v, r.Size)
		}
		if v.End == r.HeaderSize {
			return // no record
		}
		again, err := judgeBytes(b[:v.End], Level(level%3))
		if err != nil || again.End != v.End || again.NextSeq != v.NextSeq || again.Torn != "" {
			t.Errorf("%+v, and what it takes for whole is %+v, %v", v, again, err)
		}
	})
}

func isDamage(err error) bool {
	_, ok := errors.AsType[*segment.CorruptError](err)
	return ok
}
