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

	// Footer is the table. Bytes is what it was read from where the file does not
	// have it: the log was not sealed yet or, where Err is set, what the file
	// has is damaged and the records are sound.
	Footer *segment.Footer
	Bytes  []byte

	// Err, of a Standing that tolerates damage, is what is wrong with the segment:
	// damage, or that it is of a newer version. Without a Footer, nothing is known of
	// what it holds.
	Err error
}

// gather opens the segments that the newest log says the store is made of.
func (st *Standing) gather() error {
	st.Live = st.edited()
	complete := st.V.Successor != (segment.Ref{})
	if complete {
		st.Live = st.Live.With(st.Newest.Header.Ref)
	}
	var missing []segment.Ref
	bare := ByID(st.Bare)
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
		p, err := st.openPart(e)
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
func (st *Standing) openFile(e *Entry) (Source, error) {
	src, err := st.openNow(e)
	if errors.Is(err, fs.ErrNotExist) && e.renamed(st.FS) {
		src, err = st.openNow(e)
	}
	return src, err
}

func (st *Standing) openNow(e *Entry) (Source, error) {
	if st.open != nil {
		return st.open(e)
	}
	f, err := st.FS.Open(e.Name)
	return f, vfs.TooManyFiles(err)
}

// A settler is a Source that is read first for its footer, and is told when that was
// done: only then it becomes what other reads want, such as a map of the file. Pages
// of a map that were read stay with the process, which for the footers of 50,000
// small segments is more than all else that an open takes.
type settler interface{ Settle() }

func settle(src Source) {
	if s, ok := src.(settler); ok {
		s.Settle()
	}
}

// footerOf reads the footer of a sealed file, at once and with its table if that is small.
func (st *Standing) footerOf(e *Entry, src Source) (*segment.Footer, error) {
	defer settle(src)
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

// openPart opens a segment with its table. One that was not sealed when a crash came
// gets its footer in memory first. The part is nil if the file cannot be opened.
func (st *Standing) openPart(e *Entry) (*Part, error) {
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
	if err != nil || st.table == nil {
		return p, err
	}
	keep, err := st.table(p)
	if err == nil && !keep {
		p.Footer = &segment.Footer{Summary: p.Footer.Summary}
	}
	return p, err
}

// checkTable reads a table to its end. Who builds an index from it does so, too; but
// who tolerates damage has to know before.
func checkTable(f *segment.Footer) error {
	c := f.Cursor()
	for c.Next() {
	}
	return c.Err()
}

// rebuild computes the table of a damaged part from its records, if they are
// sound and complete: those of a log end with an End record.
func (st *Standing) rebuild(p *Part) {
	why := p.Err
	p.Footer, p.Bytes = nil, nil
	if p.Sealed && p.Header.Kind == segment.Log && st.makeFooter(p) != nil {
		p.Footer, p.Bytes = nil, nil
	}
	p.Err = why
}

// makeFooter computes the footer of a log that was ended and not sealed. Such a
// log is not the newest, so it has no tail that could be torn.
func (st *Standing) makeFooter(p *Part) error {
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

// WithFooter is what src holds up to the offset end, and the footer behind it: a segment whose
// file does not have that footer.
func WithFooter(src io.ReaderAt, footer []byte, end int64) io.ReaderAt {
	return &withFooter{src, footer, end}
}

type withFooter struct {
	src    io.ReaderAt
	footer []byte
	end    int64
}

func (w *withFooter) ReadAt(b []byte, off int64) (int, error) {
	n := 0
	if off < w.end {
		n = int(min(int64(len(b)), w.end-off))
		if m, err := w.src.ReadAt(b[:n], off); m < n {
			return m, err
		}
	}
	if n == len(b) {
		return n, nil
	}
	m := copy(b[n:], w.footer[min(int64(len(w.footer)), max(0, off+int64(n)-w.end)):])
	if n += m; n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// chain proves that the logs follow each other: neighbors without a gap, none
// over another, all before the newest.
func (st *Standing) chain() error {
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

func (st *Standing) broken(e *Entry, due uint64) error {
	return &segment.CorruptError{File: st.FS.Path(e.Name), Segment: e.Header.Ref, FirstSeq: due, LastSeq: max(due, e.Header.FirstSeq-1),
		Reason: fmt.Sprintf("log begins with sequence number %d where %d is due", e.Header.FirstSeq, due)}
}
