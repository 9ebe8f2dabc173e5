package integrity

import (
	"github.com/varve-db/varve/segment"
)

// headless returns the sealed log ref of the set if its file is there and only
// its header is damaged: what records and tables need to know of the header,
// the set and the log before it say; bare is the files without one. It returns nil if that does not fit.
func (st *Standing) headless(bare map[segment.ID][]*Entry, ref segment.Ref) *Part {
	for _, e := range bare[ref.ID] {
		if !e.Sealed {
			continue
		}
		h := &segment.Head{Kind: segment.Log, UUID: st.UUID, Ref: ref, FirstSeq: st.due()}
		whole := &Entry{Name: e.Name, ID: e.ID, Sealed: true, Size: e.Size, Header: h}
		if p := st.openHeadless(whole); p != nil {
			p.Err = segment.InFile(st.FS.Path(e.Name), e.Err)
			return p
		}
	}
	return nil
}

// due is the first sequence number of a log after the parts so far; one if there
// are none, and zero, which no log has, if that is not known.
func (st *Standing) due() uint64 {
	if len(st.Missing) > 0 || st.untold {
		return 0
	}
	return st.lastSeq + 1
}

// add takes a segment for a part of the set, once it is known what it holds.
func (st *Standing) add(p *Part) {
	st.Parts = append(st.Parts, p)
	if p.Footer == nil {
		st.untold = true
		return
	}
	st.lastSeq = max(st.lastSeq, p.Footer.LastSeq)
}

func (st *Standing) openHeadless(e *Entry) *Part {
	if e.Header.FirstSeq == 0 {
		return nil
	}
	src, err := st.openFile(e)
	if err != nil {
		return nil
	}
	settle(src)
	r := segment.ReaderFor(e.Header, src, e.Size)
	off, seq, found, err := r.Find(0, e.Size, e.Header.FirstSeq)
	if err == nil && found && seq == e.Header.FirstSeq {
		r.HeaderSize = off
		if f, err := r.OpenFooter(); err == nil && checkTable(f) == nil {
			return &Part{Entry: e, Src: src, Footer: f}
		}
	}
	src.Close()
	return nil
}
