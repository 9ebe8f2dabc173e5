package integrity

import (
	"github.com/varve-db/varve/segment"
)

// headless returns the sealed log ref of the set if its file is there and only
// its header is damaged: what records and tables need to know of the header,
// the set and the log before it say. It returns nil if that does not fit.
func (st *Standing) headless(ref segment.Ref) *Part {
	for _, e := range st.Bare {
		if !e.Sealed || e.ID != ref.ID {
			continue
		}
		h := &segment.Head{Kind: segment.Log, UUID: st.UUID, Ref: ref, FirstSeq: st.due()}
		whole := &Entry{Name: e.Name, ID: e.ID, Sealed: true, Size: e.Size, Mode: e.Mode, Header: h}
		if p := st.openHeadless(whole); p != nil {
			p.Err = InFile(st.FS.Path(e.Name), e.Err)
			return p
		}
	}
	return nil
}

// due is the first sequence number of a log after the parts so far; one if there
// are none, and zero, which no log has, if that is not known.
func (st *Standing) due() uint64 {
	if len(st.Missing) > 0 {
		return 0
	}
	last := uint64(0)
	for _, p := range st.Parts {
		if p.Footer == nil {
			return 0
		}
		last = max(last, p.Footer.LastSeq)
	}
	return last + 1
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
