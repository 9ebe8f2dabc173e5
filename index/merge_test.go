package index

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestMergeKeepsTheHighestSequenceNumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.OneOf(nastyKey(), rapid.StringMatching("[ab]{0,3}"))
		sources := make([]*sliceSource, rapid.IntRange(0, 9).Draw(t, "sources"))
		winner := map[string]Entry{}
		seq := uint64(0)
		for i := range sources {
			sources[i] = &sliceSource{}
		}
		for len(sources) > 0 && seq < uint64(len(sources)*30) && rapid.IntRange(0, 60).Draw(t, "more") > 0 {
			seq++
			e := Entry{
				Key: []byte(key.Draw(t, "key")), Seq: seq,
				Delete: rapid.IntRange(0, 3).Draw(t, "kind") == 0, Loc: Loc{Slot: 3, Offset: int64(seq), Size: 1},
			}
			s := rapid.SampledFrom(sources).Draw(t, "source")
			s.entries = append(s.entries, e)
			winner[string(e.Key)] = e
		}
		var streams []Source
		for _, s := range sources {
			slices.SortFunc(s.entries, func(a, b Entry) int {
				return cmp.Or(bytes.Compare(a.Key, b.Key), cmp.Compare(b.Seq, a.Seq))
			})
			streams = append(streams, s)
		}
		b := NewBuilder()
		if err := Merge(b, streams...); err != nil {
			t.Fatal(err)
		}
		x := b.Finish()
		if err := x.check(); err != nil {
			t.Fatal(err)
		}
		want := model{}
		for k, e := range winner {
			if !e.Delete {
				want[k] = e.Loc
			}
		}
		s := x.Snapshot()
		view{s, want}.check(t, nil, nil, false)
	})
}

func entryAt(key string, seq uint64, slot uint32) Entry {
	return Entry{Key: []byte(key), Seq: seq, Loc: Loc{Slot: slot}}
}

func TestMergeTakesTheFirstSourceOfEqualRecords(t *testing.T) {
	for _, order := range [][]uint32{{1, 2, 3}, {3, 1, 2}, {2, 3, 1}} {
		var sources []Source
		for _, slot := range order {
			sources = append(sources, &sliceSource{[]Entry{entryAt("k", 7, slot)}})
		}
		b := NewBuilder()
		if err := Merge(b, sources...); err != nil {
			t.Fatal(err)
		}
		if l, _ := b.Finish().Get([]byte("k")); l.Slot != order[0] {
			t.Errorf("sources %v: slot %d won", order, l.Slot)
		}
	}
}

func TestMergeRefusesASourceOutOfOrder(t *testing.T) {
	for name, entries := range map[string][]Entry{
		"keys descending":    {entryAt("b", 1, 0), entryAt("a", 2, 0)},
		"sequence ascending": {entryAt("a", 1, 0), entryAt("a", 2, 0)},
	} {
		other := &sliceSource{[]Entry{entryAt("a", 9, 0), entryAt("b", 9, 0), entryAt("c", 9, 0)}}
		if err := Merge(NewBuilder(), &sliceSource{entries}); !errors.Is(err, ErrUnsorted) {
			t.Errorf("%s: %v", name, err)
		}
		if err := Merge(NewBuilder(), other, &sliceSource{entries}); name == "keys descending" && !errors.Is(err, ErrUnsorted) {
			t.Errorf("%s, beside another: %v", name, err)
		}
	}
}

// failing is a source that fails after n entries.
type failing struct{ n int }

var errFailing = errors.New("bad block")

func (f *failing) Next(e *Entry) (bool, error) {
	if f.n--; f.n < 0 {
		return false, errFailing
	}
	*e = entryAt(string(rune('a'+10-f.n)), 1, 0)
	return true, nil
}

func TestMergeStopsAtAnError(t *testing.T) {
	for n := range 4 {
		err := Merge(NewBuilder(), &sliceSource{[]Entry{entryAt("z", 1, 0)}}, &failing{n})
		if !errors.Is(err, errFailing) {
			t.Errorf("after %d entries: %v", n, err)
		}
	}
}
