package store

import (
	"errors"
	"fmt"
	"maps"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/segment"
)

// doubts is what a store that was opened with AllowDamaged does not know: the
// segments of its set that cannot be read. An old value must never pass for the
// current one, nor a loss for an absence. Nil: there is no doubt.
type doubts struct {
	segs []doubt

	// gone has the keys that were deleted after the last of segs: those are not there
	// for certain. Guarded as the index is.
	gone map[string]struct{}
	last uint64 // the greatest last of segs
}

// doubt is a segment without a sound table.
type doubt struct {
	ref  segment.Ref
	file string
	last uint64 // no record in it has a greater sequence number
	why  string
}

// doubt finds out what is not known, and notes it in the report. The deletions of the
// parts are gathered from their tables.
func (st storeState) doubt(rep *OpenReport) (*doubts, error) {
	d := &doubts{gone: map[string]struct{}{}}
	for _, p := range st.Parts {
		switch {
		case p.Err == nil:
		case errors.Is(p.Err, ErrVersion): // no damage, and nothing to be gone past
			return nil, p.Err
		case p.Footer == nil:
			d.add(st, p.Header.Ref, fileOf(p).path, p.Err.Error())
		default:
			rep.Notes = append(rep.Notes, fmt.Sprintf("%v; its records are sound, and were read instead; a repair of the store heals the file", p.Err))
		}
	}
	for _, ref := range st.Missing {
		d.add(st, ref, st.FS.Path(sealName(ref.ID)), "the segment is missing")
	}
	if len(d.segs) == 0 {
		return nil, nil
	}
	for _, s := range d.segs {
		rep.Notes = append(rep.Notes, fmt.Sprintf("segment %v cannot be read: %s; objects that may be in it are refused", s.ref, s.why))
	}
	for _, p := range st.Parts {
		if p.Footer == nil || p.Footer.LastSeq <= d.last {
			continue
		}
		c := p.Footer.Cursor()
		for c.Next() {
			if c.Entry.Kind == segment.Delete && c.Entry.Seq > d.last {
				d.gone[string(c.Entry.Key)] = struct{}{}
			}
		}
		if err := c.Err(); err != nil {
			return nil, segment.InFile(fileOf(p).path, err)
		}
	}
	return d, nil
}

// add notes a segment. All that is in it was written before the first log with a
// greater id was begun: a log by its place, an output since it holds what was
// in older segments.
func (d *doubts) add(st storeState, ref segment.Ref, file, why string) {
	last := st.Newest.Header.FirstSeq - 1
	for _, p := range st.Parts {
		if p.Header.Kind == segment.Log && p.Header.Ref.ID > ref.ID {
			last = p.Header.FirstSeq - 1
			break
		}
	}
	d.segs = append(d.segs, doubt{ref, file, last, why})
	d.last = max(d.last, last)
}

// note takes notice of a change of the index.
func (d *doubts) note(kind segment.RecordKind, key []byte) {
	if d != nil && kind == segment.Delete {
		d.gone[string(key)] = struct{}{}
	}
}

// clone is for a snapshot.
func (d *doubts) clone() *doubts {
	if d == nil {
		return nil
	}
	c := *d
	c.gone = maps.Clone(d.gone)
	return &c
}

// stale returns an error if a segment that cannot be read may hold a newer
// version of the key than the one of seq.
func (d *doubts) stale(key []byte, seq uint64) error {
	if d == nil || seq > d.last {
		return nil
	}
	for _, s := range d.segs {
		if s.last > seq {
			return s.error(key, "may hold a newer version")
		}
	}
	return nil
}

// absent returns an error if a segment that cannot be read may hold the key, and
// otherwise ErrNotFound.
func (d *doubts) absent(key []byte) error {
	if d == nil {
		return ErrNotFound
	}
	if _, gone := d.gone[string(key)]; gone {
		return ErrNotFound
	}
	return d.segs[len(d.segs)-1].error(key, "may hold the key")
}

// missed is what a scan ends with, since it cannot know what it did not find.
func (d *doubts) missed() error {
	return d.segs[len(d.segs)-1].error(nil, "may hold more objects of the range")
}

func (s *doubt) error(key []byte, what string) error {
	e := &CorruptError{File: s.file, Segment: s.ref, LastSeq: s.last,
		Reason: fmt.Sprintf("%s, which cannot be read (%s)", what, s.why),
		Next:   integrity.RepairFromCopy}
	if key != nil {
		e.Keys = [][]byte{append([]byte(nil), key...)}
	}
	return e
}
