package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/varve-db/varve/index"
)

// tableOf is a table for tests; at its end it returns err.
type tableOf struct {
	entries []index.Entry
	err     error
}

func (l *tableOf) Next(e *index.Entry) (bool, error) {
	if len(l.entries) == 0 {
		return false, l.err
	}
	// The key is the table's until the next call.
	*e = l.entries[0]
	e.Key = bytes.Clone(e.Key)
	if len(l.entries) > 1 {
		l.entries[1].Key = append([]byte(nil), l.entries[1].Key...)
	}
	clear(l.entries[0].Key)
	l.entries = l.entries[1:]
	return true, nil
}

// Small tables that are read into few sources give the index that they give one by one:
// with large ones between them, with versions, deletes, and copies of a record, of which
// the first table's wins.
func TestSmallTablesGiveTheSameIndex(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var all [][]index.Entry
		for i := range 1 + rng.IntN(40) {
			n := rng.IntN(4)
			if rng.IntN(6) == 0 {
				n = smallTable + 1 + rng.IntN(3)
			}
			var list []index.Entry
			for range n {
				seq := rng.Uint64N(60) // a copy has the number of its record, and the kind
				list = append(list, index.Entry{Key: fmt.Appendf(nil, "%d", rng.IntN(90)), Seq: seq, Delete: seq%5 == 0, Loc: index.Loc{Slot: uint32(i), Offset: 100, Size: 50}})
			}
			slices.SortFunc(list, func(a, b index.Entry) int {
				if c := bytes.Compare(a.Key, b.Key); c != 0 {
					return c
				}
				return int(b.Seq) - int(a.Seq)
			})
			all = append(all, list)
		}
		copyOf := func(list []index.Entry) *tableOf {
			l := &tableOf{entries: slices.Clone(list)}
			for i := range l.entries {
				l.entries[i].Key = bytes.Clone(l.entries[i].Key)
			}
			return l
		}
		var each []index.Source
		var few tables
		for _, list := range all {
			each = append(each, copyOf(list))
			if err := few.add(copyOf(list), int64(len(list))); err != nil {
				t.Fatal(err)
			}
		}
		few.closeSmall()
		if got, want := indexOf(t, few.sources), indexOf(t, each); !slices.Equal(got, want) {
			t.Fatalf("seed %d: the index has\n%v\nwant\n%v", seed, got, want)
		}
	}
}

// indexOf returns what an index of the tables holds.
func indexOf(t *testing.T, sources []index.Source) (all []string) {
	t.Helper()
	b := index.NewBuilder()
	if err := index.Merge(b, sources...); err != nil {
		t.Fatal(err)
	}
	idx := b.Finish()
	for key, l := range idx.Snapshot().Scan(nil, nil, false) {
		all = append(all, fmt.Sprintf("%s in %d", key, l.Slot))
	}
	return all
}

// However many small tables there are, the merge has few sources; and what is wrong with
// one of them is an error.
func TestManySmallTablesAreFewSources(t *testing.T) {
	var few tables
	for i := range 3 * gatheredMost {
		if err := few.add(&tableOf{entries: []index.Entry{{Key: fmt.Append(nil, i), Seq: 1}}}, 1); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(few.sources); n != 3 {
		t.Errorf("%d sources, want 3", n)
	}
	damaged := errors.New("damaged")
	if err := few.add(&tableOf{err: damaged}, 1); err != damaged {
		t.Errorf("a damaged table: %v", err)
	}
}
