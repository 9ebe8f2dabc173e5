package segment

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestTableIsWhatAMapSays seals logs of random records and holds the table to a
// model: cursors, lookups, and the bytes of a second seal.
func TestTableIsWhatAMapSays(t *testing.T) {
	for seed := range uint64(40) {
		testTable(t, rand.New(rand.NewPCG(seed, 1)), seed)
	}
}

func testTable(t *testing.T, rnd *rand.Rand, seed uint64) {
	keys := modelKeys(rnd)
	h := &Header{Head: Head{Kind: Log, UUID: UUID{1}, Ref: Ref{2, 3}, FirstSeq: 1 + rnd.Uint64N(1000), Time: 1}}
	var recs []Record
	for i := range 1 + rnd.IntN(1200) {
		r := Record{Kind: Put, Flags: FlagCommit, Seq: h.FirstSeq + uint64(i), Key: keys[rnd.IntN(len(keys))]}
		switch rnd.IntN(6) {
		case 0:
			r.Kind = Delete
		case 1:
			r.Expiry, r.Meta = rnd.Int64()|1, []byte("meta")
		case 2:
			r.Slots = AppendSlots(nil, []Slot{{1, bytes.Repeat([]byte{7}, rnd.IntN(60)*rnd.IntN(60))}, {2, nil}})
		case 3:
			r.Value = bytes.Repeat([]byte{1}, rnd.IntN(300))
		}
		recs = append(recs, r)
	}
	b := layOut(h, append(recs, endRecord(h.FirstSeq+uint64(len(recs)), Ref{2, 4}))...)
	sealed := testSeal(t, b)
	if !bytes.Equal(sealed, testSeal(t, b)) {
		t.Fatalf("seed %d: sealed twice, other bytes", seed)
	}
	again, err := reencode(sealed)
	if err != nil || !bytes.Equal(sealed, again) {
		t.Fatalf("seed %d: not the same bytes again: %v", seed, err)
	}
	compareTable(t, rnd, seed, testOpen(t, sealed), h, recs, keys)
}

// modelKeys returns keys that share beginnings of any length with each other.
func modelKeys(rnd *rand.Rand) [][]byte {
	letters := 1 + rnd.IntN(4)
	keys := [][]byte{{0}, {0, 0}, bytes.Repeat([]byte{0}, 9)}
	for range 1 + rnd.IntN(700) {
		n := 1 + rnd.IntN(24)
		var k []byte
		if rnd.IntN(3) > 0 {
			k = bytes.Clone(keys[rnd.IntN(len(keys))])
		}
		for range n {
			k = append(k, byte(rnd.IntN(letters)*85))
		}
		keys = append(keys, k)
	}
	if rnd.IntN(4) == 0 {
		long := bytes.Repeat([]byte{85}, MaxKey)
		keys = append(keys, long, long[:MaxKey-1], append(bytes.Clone(long[:MaxKey-1]), 86))
	}
	return keys
}

func compareTable(t *testing.T, rnd *rand.Rand, seed uint64, f *Footer, h *Header, recs []Record, keys [][]byte) {
	want := layOutEntries(h, recs)
	c := f.Cursor()
	for i := range want {
		if !c.Next() || !c.Entry.equal(&want[i]) {
			t.Fatalf("seed %d: entry %d of %d is %+v, want %+v (%v)", seed, i, len(want), c.Entry, want[i], c.Err())
		}
	}
	if c.Next() || c.Err() != nil {
		t.Fatalf("seed %d: after the last entry: %v", seed, c.Err())
	}
	for range 300 {
		key := keys[rnd.IntN(len(keys))]
		if rnd.IntN(3) == 0 {
			key = append(bytes.Clone(key), byte(rnd.IntN(2)))
		}
		i, found := slices.BinarySearchFunc(want, key, func(e Entry, k []byte) int { return bytes.Compare(e.Key, k) })
		e, ok, err := f.Lookup(key)
		if err != nil || ok != found || ok && !e.equal(&want[i]) {
			t.Fatalf("seed %d: Lookup(%q) = %+v, %v, %v; want %v", seed, shorten(key), e, ok, err, found)
		}
		c := f.CursorAt(key)
		for _, w := range want[i:min(i+3, len(want))] {
			if !c.Next() || !c.Entry.equal(&w) {
				t.Fatalf("seed %d: CursorAt(%q) is at %+v, want %+v (%v)", seed, shorten(key), c.Entry, w, c.Err())
			}
		}
		if i == len(want) && (c.Next() || c.Err() != nil) {
			t.Fatalf("seed %d: CursorAt(%q) goes on", seed, shorten(key))
		}
	}
}

// layOutEntries is the model: what the table must hold, sorted by the standard
// library.
func layOutEntries(h *Header, recs []Record) []Entry {
	off, p := int64(len(h.Append(nil))), h.ChecksumSeed()
	var out []Entry
	for i := range recs {
		r := &recs[i]
		e := Entry{Key: r.Key, Kind: r.Kind, Flags: r.Flags, Seq: r.Seq, Offset: off, Size: recordSize(p, r), Expiry: r.Expiry, Slots: r.Slots}
		if r.Expiry != 0 {
			e.Flags |= FlagExpiry
		}
		if len(r.Meta) > 0 {
			e.Flags |= FlagMeta
		}
		if len(r.Slots) > 0 {
			e.Flags |= FlagSlots
		}
		off += e.Size
		out = append(out, e)
	}
	slices.Reverse(out)
	slices.SortStableFunc(out, func(a, b Entry) int { return bytes.Compare(a.Key, b.Key) })
	return out
}
