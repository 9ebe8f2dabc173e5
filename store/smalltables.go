package store

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/varve-db/varve/index"
	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/segment"
)

// A merge holds a cursor, with its block and its entry, for each of its sources: for
// 50,000 segments of one object that is many times what their tables hold. So the
// tables of small segments are read first, some at a time, into one source.
const (
	smallTable   = 64   // entries; a table that has more is a source of its own
	gatheredMost = 4096 // entries in one source of small tables
)

// tables makes the sources of a merge from one table after the other. The order of
// the sources is that of the tables, by which the merge decides between a record and its copy.
type tables struct {
	parts   uint32 // that were added by part
	sources []index.Source
	few     *smallTables // the last of sources, if it takes more; or nil
}

// add adds a table of so many entries.
func (t *tables) add(table index.Source, entries int64) error {
	if entries > smallTable {
		t.closeSmall()
		t.sources = append(t.sources, table)
		return nil
	}
	if t.few == nil {
		t.few = new(smallTables)
		t.sources = append(t.sources, t.few)
	}
	err := t.few.add(table)
	if len(t.few.entries) >= gatheredMost {
		t.closeSmall()
	}
	return err
}

// part adds the table of a part, for integrity.ResolveOptions.Table: all parts have one then,
// so that they get their slots in the order in which they come.
func (t *tables) part(p *integrity.Part) (keep bool, err error) {
	n := p.Footer.Entries()
	err = t.add(&tableSource{c: p.Footer.Cursor(), slot: t.parts}, n)
	t.parts++
	return n > smallTable, segment.InFile(fileOf(p).path, err)
}

// closeSmall ends the source that small tables are read into.
func (t *tables) closeSmall() {
	if t.few != nil {
		t.few.sort()
		t.few = nil
	}
}

// smallTables is the entries of several small tables, as one source of the merge.
type smallTables struct {
	keys    []byte
	entries []smallEntry
	next    int
}

// smallEntry is an entry whose key is keys[key:end].
type smallEntry struct {
	key, end int
	seq      uint64
	delete   bool
	loc      index.Loc
}

// add reads a table to its end.
func (s *smallTables) add(table index.Source) error {
	var e index.Entry
	for {
		ok, err := table.Next(&e)
		if !ok {
			return err
		}
		at := len(s.keys)
		s.keys = append(s.keys, e.Key...)
		s.entries = append(s.entries, smallEntry{at, len(s.keys), e.Seq, e.Delete, e.Loc})
	}
}

func (s *smallTables) keyOf(e *smallEntry) []byte { return s.keys[e.key:e.end] }

// sort puts the entries in order; of equal ones the first that was added stays first.
func (s *smallTables) sort() {
	slices.SortStableFunc(s.entries, func(a, b smallEntry) int {
		if c := bytes.Compare(s.keyOf(&a), s.keyOf(&b)); c != 0 {
			return c
		}
		return cmp.Compare(b.seq, a.seq)
	})
}

// Next returns the next entry of all the tables.
func (s *smallTables) Next(e *index.Entry) (bool, error) {
	if s.next == len(s.entries) {
		return false, nil
	}
	n := &s.entries[s.next]
	s.next++
	e.Key, e.Seq, e.Delete, e.Loc = s.keyOf(n), n.seq, n.delete, n.loc
	return true, nil
}
