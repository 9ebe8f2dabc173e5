package store

import (
	"fmt"

	"github.com/varve-db/varve/index"
	"github.com/varve-db/varve/segment"
)

// buildIndex builds the index from the tables of the parts. Their slots are set
// by the view that they are added to.
func (st storeState) buildIndex(v *view, o *Options, rep *OpenReport) error {
	var entries, size int64
	d, err := st.doubt(rep)
	if err != nil {
		return err
	}
	v.doubts = d
	t := st.tables
	if t == nil {
		t = new(tables)
	}
	for _, p := range st.Parts {
		if p.Footer == nil {
			continue
		}
		f := fileOf(p)
		if d != nil && p.Footer.FirstSeq <= d.last {
			f.doubts = d
		}
		v.add(f)
		if st.tables == nil {
			if err := t.add(&tableSource{c: p.Footer.Cursor(), slot: f.slot}, p.Footer.Entries()); err != nil {
				return st.inPart(err)
			}
		}
		entries += p.Footer.Entries()
		size += p.Footer.FileSize - p.Footer.RecordsEnd
	}
	t.closeSmall()
	need := index.Estimate(entries, size)
	o.Logger.Info("building the index", "path", rep.Path, "segments", len(st.Parts), "entries", entries, "bytes_at_most", need)
	b := index.NewBuilder()
	if o.MaxIndexBytes > 0 && len(t.sources) > 0 {
		t.sources[0] = &bounded{Source: t.sources[0], b: b, most: o.MaxIndexBytes}
	}
	if err := index.Merge(b, t.sources...); err != nil {
		return st.inPart(err)
	}
	v.idx = b.Finish()
	rep.phase("tables", entries, size)
	return tooLarge(v.idx.Memory().Heap, o.MaxIndexBytes)
}

func tooLarge(heap, most int64) error {
	if most > 0 && heap > most {
		return fmt.Errorf("%w: it needs more than %d bytes, %d are allowed", ErrIndexTooLarge, heap, most)
	}
	return nil
}

// inPart puts the file's name into an error of a table.
func (st storeState) inPart(err error) error {
	for _, p := range st.Parts {
		if c, ok := segment.AsCorrupt(err); ok && c.Segment == p.Header.Ref {
			return segment.InFile(fileOf(p).path, err)
		}
	}
	return err
}

// tableSource is a segment's table as a source of the merge.
type tableSource struct {
	c    *segment.Cursor
	slot uint32
}

// Next returns the next entry of the table.
func (t *tableSource) Next(e *index.Entry) (bool, error) {
	if !t.c.Next() {
		return false, t.c.Err()
	}
	c := &t.c.Entry
	e.Key, e.Seq, e.Delete = c.Key, c.Seq, c.Kind == segment.Delete
	e.Loc = index.Loc{Slot: t.slot, Offset: c.Offset, Size: c.Size}
	return true, nil
}

// bounded stops a merge whose index grows too large.
type bounded struct {
	index.Source
	b    *index.Builder
	most int64
	n    int
}

// Next looks at the index from time to time.
func (s *bounded) Next(e *index.Entry) (bool, error) {
	if s.n++; s.n%1024 == 0 {
		if err := tooLarge(s.b.Memory().Heap, s.most); err != nil {
			return false, err
		}
	}
	return s.Source.Next(e)
}

// replay puts the records of the newest log, up to its last whole batch, into
// the index: as those of sf, a file of the log that is in the view.
func (st storeState) replay(v *view, sf *segFile, rep *OpenReport) error {
	n := int64(0)
	if st.V.End > st.R.HeaderSize {
		for rec, err := range st.R.Records(segment.Span{To: st.V.End}) {
			if err != nil {
				return segment.InFile(sf.path, err)
			}
			if rec.Kind.Data() {
				c := change{key: rec.Key, loc: index.Loc{Slot: sf.slot, Offset: rec.Offset, Size: rec.Size}, kind: rec.Kind}
				v.apply(&c)
				sf.last.Store(rec.Seq)
				n++
			}
		}
	}
	rep.phase("newest log", n, st.V.End)
	return nil
}
