package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/segment"
)

// part is a segment whose records are complete.
type part struct {
	*entry
	sf     *segFile
	footer *segment.Footer
	bytes  []byte // the footer, where the file does not have it yet
}

// gather opens the segments that the newest log says the store is made of.
func (st *standing) gather() error {
	st.live = st.newest.hdr.Live
	for _, e := range st.v.Edits {
		st.live = edited(st.live, e)
	}
	complete := st.v.Successor != (segment.Ref{})
	if complete {
		st.live = with(st.live, st.newest.hdr.Ref)
	}
	var missing []string
	for _, ref := range st.live {
		e := st.byRef[ref]
		if e == nil {
			missing = append(missing, ref.String())
			continue
		}
		p, err := st.openPart(e)
		if p != nil {
			st.parts = append(st.parts, p)
		}
		if err != nil {
			return err
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%s: %w: %s; bring the files back from a copy or an archive",
			st.fs.Path("."), ErrMissing, shortList(missing))
	}
	return nil
}

func shortList(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// with returns refs and r, in order.
func with(refs []segment.Ref, r segment.Ref) []segment.Ref {
	i, there := slices.BinarySearchFunc(refs, r, segment.Ref.Compare)
	if there {
		return refs
	}
	return slices.Insert(slices.Clone(refs), i, r)
}

// edited returns the set after an edit.
func edited(refs []segment.Ref, e segment.EditSet) []segment.Ref {
	out := slices.DeleteFunc(slices.Clone(refs), func(r segment.Ref) bool {
		_, gone := slices.BinarySearchFunc(e.Retire, r, segment.Ref.Compare)
		return gone
	})
	for _, r := range e.Adopt {
		out = with(out, r)
	}
	return out
}

// openFile opens a segment for reading.
func (s *survey) openFile(e *entry) (*segFile, error) {
	f, err := s.fs.Open(e.name)
	if err != nil {
		return nil, tooManyFiles(err)
	}
	sf := &segFile{ref: e.hdr.Ref, place: e.hdr.Place(), path: s.fs.Path(e.name), first: e.hdr.FirstSeq}
	sf.size.Store(e.size)
	sf.src.Store(newSource(f, e.size, true))
	sf.pin()
	return sf, nil
}

// ReadAt makes a segFile the source of a segment.Reader.
func (f *segFile) ReadAt(b []byte, off int64) (int, error) {
	if err := f.read(b, off); err != nil {
		return 0, err
	}
	return len(b), nil
}

func footerOf(sf *segFile, size int64) (*segment.Footer, error) {
	r, err := segment.NewReader(sf, size)
	if err != nil {
		return nil, inFile(sf.path, err)
	}
	f, err := r.OpenFooter()
	if errors.Is(err, segment.ErrNoFooter) {
		err = &CorruptError{Segment: sf.ref, Offset: size, Reason: "a sealed segment without its footer, cut off perhaps"}
	}
	if err != nil {
		return nil, inFile(sf.path, err)
	}
	return f, nil
}

// openPart opens a segment with its table. One that was not sealed when a crash came
// gets its footer in memory first.
func (st *standing) openPart(e *entry) (*part, error) {
	sf, err := st.openFile(e)
	if err != nil {
		return nil, err
	}
	p := &part{entry: e, sf: sf}
	if e.sealed {
		p.footer, err = footerOf(sf, e.size)
	} else {
		err = p.makeFooter(st)
	}
	if err != nil {
		return p, err
	}
	sf.last.Store(p.footer.LastSeq)
	return p, nil
}

// makeFooter computes the footer of a log that was ended and not sealed. Such a
// log is not the newest, so it has no tail that could be torn.
func (p *part) makeFooter(st *standing) error {
	r, err := segment.NewReader(p.sf, p.size)
	if err != nil {
		return inFile(p.sf.path, err)
	}
	v, err := integrity.Judge(r, integrity.Log)
	if err != nil {
		return inFile(p.sf.path, err)
	}
	if v.Successor == (segment.Ref{}) {
		return &CorruptError{File: p.sf.path, Segment: p.hdr.Ref, Offset: v.End,
			FirstSeq: v.NextSeq, LastSeq: max(v.NextSeq, st.newest.hdr.FirstSeq-1),
			Reason: strings.TrimPrefix(v.Torn+"; ", "; ") + "the log does not end here, since a later one was begun"}
	}
	if p.bytes, _, err = r.Seal(v.End); err != nil {
		return inFile(p.sf.path, err)
	}
	whole := &withFooter{p.sf, p.bytes, v.End}
	if r, err = segment.NewReader(whole, v.End+int64(len(p.bytes))); err == nil {
		p.footer, err = r.OpenFooter()
	}
	if err == nil && p.size > v.End+int64(len(p.bytes)) {
		err = &CorruptError{Segment: p.hdr.Ref, Offset: v.End + int64(len(p.bytes)), Reason: "bytes after the end of the segment"}
	}
	return inFile(p.sf.path, err)
}

// withFooter is a log with the footer that its file does not have yet.
type withFooter struct {
	sf     *segFile
	footer []byte
	end    int64
}

func (w *withFooter) ReadAt(b []byte, off int64) (int, error) {
	n := 0
	if off < w.end {
		n = int(min(int64(len(b)), w.end-off))
		if err := w.sf.read(b[:n], off); err != nil {
			return 0, err
		}
	}
	if n < len(b) {
		n += copy(b[n:], w.footer[off+int64(n)-w.end:])
	}
	return n, nil
}

// chain proves that the logs follow each other: neighbors without a gap, none
// over another, all before the newest.
func (st *standing) chain() error {
	var before *part
	for _, p := range st.parts {
		if p.hdr.Kind != segment.Log {
			continue
		}
		if before != nil {
			due := before.footer.LastSeq + 1
			neighbors := p.hdr.Ref.ID == before.hdr.Ref.ID+1 && p.hdr.Ref.Timeline == before.hdr.Ref.Timeline
			if p.hdr.FirstSeq < due || neighbors && p.hdr.FirstSeq != due {
				return st.broken(p.entry, due)
			}
		}
		before = p
	}
	if before != nil && before.entry != st.newest && st.newest.hdr.FirstSeq <= before.footer.LastSeq {
		return st.broken(st.newest, before.footer.LastSeq+1)
	}
	return nil
}

func (st *standing) broken(e *entry, due uint64) error {
	return &CorruptError{File: st.fs.Path(e.name), Segment: e.hdr.Ref, FirstSeq: due, LastSeq: max(due, e.hdr.FirstSeq-1),
		Reason: fmt.Sprintf("log begins with sequence number %d where %d is due", e.hdr.FirstSeq, due)}
}
