package index

import (
	"errors"
	"fmt"
	"testing"
)

// TestCompareFindsEveryDifference builds an index of two sources and compares
// it with sources that differ from them in one thing.
func TestCompareFindsEveryDifference(t *testing.T) {
	const n = 400 // several leaves
	sources := func(change func(i int, e *Entry) bool) []Source {
		var a, b sliceSource
		for i := range n {
			e := Entry{Key: fmt.Appendf(nil, "key %05d", i), Seq: uint64(2*i + 2), Loc: Loc{Slot: 1, Offset: int64(100 * i), Size: 50}}
			e.Delete = i%10 == 3
			old := Entry{Key: e.Key, Seq: e.Seq - 1, Loc: Loc{Slot: 0, Offset: int64(10 * i), Size: 10}}
			if change == nil || change(i, &e) {
				a.entries = append(a.entries, e)
			}
			b.entries = append(b.entries, old)
		}
		return []Source{&a, &b}
	}
	b := NewBuilder()
	if err := Merge(b, sources(nil)...); err != nil {
		t.Fatal(err)
	}
	s := b.Finish().Snapshot()
	defer s.Close()
	if err := s.Compare(sources(nil)...); err != nil {
		t.Fatal(err)
	}
	for at := range n {
		for what, change := range map[string]func(e *Entry) bool{
			"offset":  func(e *Entry) bool { e.Loc.Offset++; return true },
			"size":    func(e *Entry) bool { e.Loc.Size++; return true },
			"slot":    func(e *Entry) bool { e.Loc.Slot = 0; return true },
			"deleted": func(e *Entry) bool { e.Delete = !e.Delete; return true },
			"absent":  func(e *Entry) bool { return false },
			"more":    func(e *Entry) bool { e.Key = append(e.Key, '.'); return true },
		} {
			if at%10 == 3 && (what == "offset" || what == "size" || what == "slot") {
				continue // a deletion has no place
			}
			err := s.Compare(sources(func(i int, e *Entry) bool { return i != at || change(e) })...)
			if _, ok := errors.AsType[*MismatchError](err); !ok {
				t.Fatalf("entry %d, %s: %v", at, what, err)
			}
		}
	}
	if err := s.Compare(); err == nil {
		t.Fatal("an index is taken for empty")
	}
}
