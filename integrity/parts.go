package integrity

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

// Source is the bytes of a segment file.
type Source interface {
	io.ReaderAt
	io.Closer
}

// Part is a segment of the set whose records are complete.
type Part struct {
	*Entry
	Src Source

	// Footer is the table. Bytes is its encoding, if the file does not have it: the log was not
	// sealed yet or, where Err is set, the footer in the file is damaged and the records are sound.
	Footer *segment.Footer
	Bytes  []byte

	// Err is set by a tolerant Resolve alone. It says that the segment is damaged, or of a newer
	// version. Without a Footer, nothing is known of what the segment holds.
	Err error
}

// gather opens the segments that the newest log says the store is made of.
func (st *State) gather() error {
	st.Live = st.edited()
	complete := st.V.Successor != (segment.Ref{})
	if complete {
		st.Live = st.Live.With(st.Newest.Header.Ref)
	}
	var missing []segment.Ref
	bare := ByID(st.Bare)
	parts := st.opener()
	defer parts.close()
	for ref := range st.Live.All() {
		e := st.File(ref)
		if e == nil && st.tolerate {
			if p := st.headless(bare, ref); p != nil {
				st.add(p)
				continue
			}
		}
		if e == nil {
			missing = append(missing, ref)
			st.Missing = append(st.Missing, ref)
			continue
		}
		p, err := parts.open(e)
		if newer := errors.Is(err, segment.ErrVersion); err != nil && p != nil && st.tolerate && (newer || segment.IsCorrupt(err)) {
			if p.Err = err; !newer {
				st.rebuild(p)
			}
			err = nil
		}
		if p != nil {
			st.add(p)
		}
		if err != nil {
			return err
		}
	}
	if len(missing) > 0 && !st.tolerate {
		return &MissingError{Dir: st.FS.Path("."), Segments: missing}
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

// openFile opens a segment for reading.
func (st *State) openFile(e *Entry) (Source, error) {
	src, err := st.openNow(e)
	if errors.Is(err, fs.ErrNotExist) && e.renamed(st.FS) {
		src, err = st.openNow(e)
	}
	return src, err
}

func (st *State) openNow(e *Entry) (Source, error) {
	if st.open != nil {
		return st.open(e)
	}
	f, err := st.FS.Open(e.Name)
	return f, vfs.TooManyFiles(err)
}

// A footerWaiter is a Source that is first read for its footer. After that, FooterRead is called,
// and the Source may prepare for other reads, such as by a map of the file. Pages of a map that
// were read stay with the process: for the footers of 50,000 small segments they would take more
// memory than all the rest of an open.
type footerWaiter interface{ FooterRead() }

func footerRead(src Source) {
	if s, ok := src.(footerWaiter); ok {
		s.FooterRead()
	}
}

// footerOf reads the footer of a sealed file. A small one is read at once, with its table.
func (st *State) footerOf(e *Entry, src Source) (*segment.Footer, error) {
	defer footerRead(src)
	end := &fileEnd{src: src, size: e.Size}
	f, err := e.reader(end).OpenFooter()
	if err == nil {
		end.keep(f.RecordsEnd, f.TableEnd())
	}
	if errors.Is(err, segment.ErrNoFooter) {
		err = &segment.CorruptError{Segment: e.Header.Ref, Offset: e.Size, Reason: "a sealed segment without its footer, cut off perhaps"}
	}
	if err != nil {
		return nil, segment.InFile(st.FS.Path(e.Name), err)
	}
	return f, nil
}

// openPart opens a segment with its table. If a crash came before the segment was sealed, its
// footer is made in memory. The part is nil if the file cannot be opened.
func (st *State) openPart(e *Entry) (*Part, error) {
	src, err := st.openFile(e)
	if err != nil {
		return nil, err
	}
	p := &Part{Entry: e, Src: src}
	if e.Sealed {
		p.Footer, err = st.footerOf(e, src)
	} else {
		err = st.makeFooter(p)
	}
	if err == nil && st.tolerate {
		err = segment.InFile(st.FS.Path(e.Name), checkTable(p.Footer))
	}
	return p, err
}

// checkTable reads a table to its end. To build an index does the same, but where damage is
// tolerated it must be known before.
func checkTable(f *segment.Footer) error {
	c := f.Cursor()
	for c.Next() {
	}
	return c.Err()
}

// rebuild computes the table of a damaged part from its records, if they are
// sound and complete. A log is complete if it has an End record.
func (st *State) rebuild(p *Part) {
	why := p.Err
	p.Footer, p.Bytes = nil, nil
	if p.Sealed && p.Header.Kind == segment.Log && st.makeFooter(p) != nil {
		p.Footer, p.Bytes = nil, nil
	}
	p.Err = why
}

// makeFooter computes the footer of a log that was ended and not sealed. Such a
// log is not the newest, so it has no tail that could be torn.
func (st *State) makeFooter(p *Part) error {
	path := st.FS.Path(p.Name)
	r, err := segment.NewReader(p.Src, p.Size)
	if err != nil {
		return segment.InFile(path, err)
	}
	v, err := Judge(nil, r, Log)
	if err != nil {
		return segment.InFile(path, err)
	}
	if v.Successor == (segment.Ref{}) {
		return &segment.CorruptError{File: path, Segment: p.Header.Ref, Offset: v.End,
			FirstSeq: v.NextSeq, LastSeq: max(v.NextSeq, st.Newest.Header.FirstSeq-1),
			Reason: strings.TrimPrefix(v.Torn+"; ", "; ") + "the log does not end here, since a later one was begun"}
	}
	if p.Bytes, _, err = r.Seal(v.End); err != nil {
		return segment.InFile(path, err)
	}
	end := v.End + int64(len(p.Bytes))
	if r, err = segment.NewReader(WithFooter(p.Src, p.Bytes, v.End), end); err == nil {
		p.Footer, err = r.OpenFooter()
	}
	if err == nil && !p.Sealed && p.Size > end {
		err = &segment.CorruptError{Segment: p.Header.Ref, Offset: end, Reason: "bytes after the end of the segment"}
	}
	return segment.InFile(path, err)
}

// headless returns the sealed log ref of the set if its file is there and only
// its header is damaged: what records and tables need to know of the header,
// the set and the log before it say; bare is the files without one. It returns nil if that does not fit.
func (st *State) headless(bare map[segment.ID][]*Entry, ref segment.Ref) *Part {
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
func (st *State) due() uint64 {
	if len(st.Missing) > 0 || st.unknown {
		return 0
	}
	return st.lastSeq + 1
}

// add takes a segment for a part of the set, once it is known what it holds.
func (st *State) add(p *Part) {
	st.Parts = append(st.Parts, p)
	if p.Footer == nil {
		st.unknown = true
		return
	}
	st.lastSeq = max(st.lastSeq, p.Footer.LastSeq)
}

func (st *State) openHeadless(e *Entry) *Part {
	if e.Header.FirstSeq == 0 {
		return nil
	}
	src, err := st.openFile(e)
	if err != nil {
		return nil
	}
	footerRead(src)
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
