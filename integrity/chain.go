package integrity

import (
	"fmt"

	"github.com/varve-db/varve/segment"
)

// chain proves that the logs follow each other: neighbors without a gap, none
// over another, all before the newest.
func (st *State) chain() error {
	var before *Part
	for _, p := range st.Parts {
		if p.Header.Kind != segment.Log || p.Footer == nil {
			continue
		}
		if before != nil {
			due := before.Footer.LastSeq + 1
			neighbors := p.Header.Ref.ID == before.Header.Ref.ID+1 && p.Header.Ref.Timeline == before.Header.Ref.Timeline
			if p.Header.FirstSeq < due || neighbors && p.Header.FirstSeq != due {
				if err := st.problem(st.broken(p.Entry, due)); err != nil {
					return err
				}
			}
		}
		before = p
	}
	if before != nil && before.Entry != st.Newest && st.Newest.Header.FirstSeq <= before.Footer.LastSeq {
		return st.problem(st.broken(st.Newest, before.Footer.LastSeq+1))
	}
	return nil
}

func (st *State) broken(e *Entry, due uint64) error {
	return &segment.CorruptError{File: st.FS.Path(e.Name), Segment: e.Header.Ref, FirstSeq: due, LastSeq: max(due, e.Header.FirstSeq-1),
		Reason: fmt.Sprintf("log begins with sequence number %d where %d is due", e.Header.FirstSeq, due)}
}
