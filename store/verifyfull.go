package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/varve-db/varve/index"
	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// verify is what level Full does before anything is built: it reads all of
// every sealed segment. Logs without their seal, and the newest, are read
// whole at that level to judge them. What it finds ends the open, unless damage is
// allowed: then it stands in the report.
func (st storeState) verify(o *Options, rep *OpenReport) error {
	if o.Integrity != integrity.Full {
		return nil
	}
	var sealed []*integrity.Part
	for _, p := range st.Parts {
		if p.Sealed {
			sealed = append(sealed, p)
		}
	}
	found := make([][]integrity.Finding, len(sealed))
	read := make([]integrity.Verified, len(sealed))
	handles := vfs.NewHandles(st.FS.Open, vfs.KeepFew)
	integrity.VerifyEach(context.Background(), len(sealed), 0, func(i int, by *integrity.Verifier) {
		// Not by the map: a file can be read past the page cache, as check does.
		p := sealed[i]
		var src io.ReaderAt = p.Src
		if f, err := handles.Open(p.Name); err == nil { // else a writer has removed it, perhaps, and the map is there
			defer f.Close() // read-only: nothing can be lost
			src = f
		}
		v, findings, _ := by.Sealed(context.Background(), src, p.Size, integrity.VerifyOptions{File: fileOf(p).path, Ref: p.Header.Ref})
		read[i], found[i] = *v, findings
	})
	var records, bytes int64
	for _, v := range read {
		records += v.Records
		bytes += v.Bytes
	}
	rep.phase("segments", records, bytes)
	for i, list := range found {
		for j := range list {
			f := &list[j]
			f.Next = integrity.RemedyFor(f.Kind)
			wrong := f.Kind == integrity.WrongTable // so it does not tell what the segment holds
			if !o.AllowDamaged || wrong && sealed[i].Entry == st.Newest {
				return findingError(f)
			}
			if wrong {
				sealed[i].Footer, sealed[i].Err = nil, findingError(f)
			}
		}
	}
	rep.Findings = slices.Concat(found...)
	return nil
}

// findingError is a finding as an error.
func findingError(f *integrity.Finding) error {
	if f.Kind == integrity.Unreadable {
		return fmt.Errorf("%s: offset %d: %s", f.File, f.Offset, f.Reason)
	}
	return &CorruptError{File: f.File, Segment: f.Segment, Offset: f.Offset, Reason: f.Reason, Keys: f.Keys,
		FirstSeq: f.FirstSeq, LastSeq: f.LastSeq, Next: f.Next}
}

// verifyIndex compares the index with the tables of the parts and the records of
// the newest log, which end at end in sf.
func (st storeState) verifyIndex(v *view, sf *segFile, end int64, o *Options, rep *OpenReport) error {
	if o.Integrity != integrity.Full {
		return nil
	}
	s, err := v.Snapshot()
	if err != nil {
		return err
	}
	defer s.Close()
	var t tables
	var entries int64
	inTable := false // the newest log is a part
	for _, p := range st.Parts {
		if p.Footer != nil {
			if err := t.add(&tableSource{c: p.Footer.Cursor(), slot: fileOf(p).slot}, p.Footer.Entries()); err != nil {
				return st.inPart(err)
			}
			entries += p.Footer.Entries()
			inTable = inTable || fileOf(p) == sf
		}
	}
	if !inTable {
		log, err := logEntries(sf, end)
		if err != nil {
			return segment.InFile(sf.path, err)
		}
		t.closeSmall() // the log comes after all tables
		t.sources = append(t.sources, log)
		entries += int64(len(log.entries))
	}
	t.closeSmall()
	err = s.idx.Compare(t.sources...)
	rep.phase("index against log", entries, 0)
	if m, ok := errors.AsType[*index.MismatchError](err); ok {
		return &CorruptError{File: st.FS.Path("."), Reason: m.Error() + "; the memory of this machine may be faulty", Keys: [][]byte{m.Key}}
	}
	return st.inPart(err)
}

// entryList is a log without a table as a source.
type entryList struct{ entries []index.Entry }

// logEntries reads the puts and deletes of a log.
func logEntries(sf *segFile, end int64) (*entryList, error) {
	r, err := segment.NewReader(sf, end)
	if err != nil {
		return nil, err
	}
	l := &entryList{}
	for rec, err := range r.Records(segment.Span{To: end}) {
		if err != nil {
			return nil, err
		}
		if rec.Kind.Data() {
			l.entries = append(l.entries, index.Entry{Key: slices.Clone(rec.Key), Seq: rec.Seq, Delete: rec.Kind == segment.Delete,
				Loc: index.Loc{Slot: sf.slot, Offset: rec.Offset, Size: rec.Size}})
		}
	}
	slices.SortFunc(l.entries, func(a, b index.Entry) int {
		return cmp.Or(slices.Compare(a.Key, b.Key), cmp.Compare(b.Seq, a.Seq))
	})
	return l, nil
}

// Next returns the next entry.
func (l *entryList) Next(e *index.Entry) (bool, error) {
	if len(l.entries) == 0 {
		return false, nil
	}
	*e, l.entries = l.entries[0], l.entries[1:]
	return true, nil
}
