package integrity

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
	"golang.org/x/time/rate"
)

// VerifyOptions are the options of VerifySealed. The zero value works.
type VerifyOptions struct {
	File string      // the file's name as it stands in findings
	Ref  segment.Ref // the segment that the file must hold; zero: whatever its header says

	Limit    *rate.Limiter // bytes a second, see NewLimiter; nil: none
	Progress func(n int64) // called after n more bytes of the file were read; nil: not called

	past *vfs.Direct // used for one file after the other; nil: one for this file alone
}

// Verified is what VerifySealed read.
type Verified struct {
	Header  *segment.Header // nil: none that is sound
	Summary segment.Summary // of the footer; zero: none that is sound
	Records int64           // that checked
	Bytes   int64           // read
}

// VerifySealed checks all of the sealed segment in the first size bytes of src:
// header, both checksums and the order of every record, every block of the
// table, the table against the records in both directions, all that the summary
// says, and the SHA-256. No findings means that each byte of the file is what the
// seal wrote.
//
// It reads the file once, from its beginning to its end, after its header and the
// block index; in memory it holds that index and up to 3 MiB. On Linux a file of the
// operating system of 4 MiB or more is read past the page cache, if less than half of it is
// there: so the bytes on the disk are seen, and others keep their pages. Only where
// something does not agree it reads again, to name what, goes on past the damage, and
// may take as much memory as Seal. The file and segment of the findings are
// filled in; Good and Next are the caller's to say.
//
// A read error is a finding too. The error returned is the context's.
func VerifySealed(ctx context.Context, src io.ReaderAt, size int64, o VerifyOptions) (*Verified, []Finding, error) {
	if o.past == nil {
		o.past = &vfs.Direct{}
		defer o.past.Close()
	}
	p := newPass(ctx, src, o.past, &o)
	v := &Verified{}
	err := v.verify(p, size, &o)
	p.end()
	v.Bytes = p.Bytes
	if err == nil || ctx.Err() != nil {
		return v, nil, ctx.Err()
	}
	findings := diagnose(p, size, &o, v, err)
	if o.Progress != nil && ctx.Err() == nil {
		o.Progress(size - p.at) // what was not come to in order
	}
	v.Bytes = p.Bytes
	return v, findings, ctx.Err()
}

// errDisagree says that each part of a file is sound, and that the parts do not belong together.
// The text around it is used if a second look finds nothing.
var errDisagree = errors.New("the parts of the file do not agree")

// verify is the quick way: its error only says that there is something to name.
func (v *Verified) verify(p *pass, size int64, o *VerifyOptions) error {
	r, err := segment.NewReader(p, size)
	if err != nil {
		return err
	}
	v.Header = r.Header
	if o.Ref != (segment.Ref{}) && r.Header.Ref != o.Ref {
		return fmt.Errorf("%w: the header is that of %v", errDisagree, r.Header.Ref)
	}
	f, err := r.OpenFooter()
	if err != nil {
		return err
	}
	v.Summary = f.Summary
	keys := newHashKeys()
	p.begin(size)
	got := totals{kind: r.Header.Kind, entries: multiset{keys: keys}, end: r.HeaderSize}
	for rec, err := range r.Records(segment.Span{To: f.RecordsEnd, Depth: segment.CheckValues}) {
		if err == nil {
			err = got.add(rec)
		}
		if err != nil {
			return err
		}
		v.Records++
	}
	if reason := got.against(&f.Summary); reason != "" {
		return fmt.Errorf("%w: %s", errDisagree, reason)
	}
	table := multiset{keys: keys}
	c := f.Cursor()
	for c.Next() {
		table.add(&c.Entry)
	}
	if err := c.Err(); err != nil {
		return err
	}
	if !table.equal(&got.entries) {
		return fmt.Errorf("%w: the table is not that of the records", errDisagree)
	}
	sum, err := p.digest(f.Digested())
	if err == nil && sum != f.SHA256 {
		err = fmt.Errorf("%w: SHA-256", errDisagree)
	}
	if err != nil {
		return err
	}
	_, err = p.ReadAt(make([]byte, size-p.at), p.at) // for the progress
	return err
}

// totals is what the records of a segment add up to: all of it that reading the
// table does not prove by itself, see segment.Footer.Cursor.
type totals struct {
	kind    segment.Kind
	entries multiset
	others  int64
	first   int64 // commit time
	newest  int64
	last    segment.RecordKind
	end     int64
	key     []byte // of the last record of an output
	seq     uint64
}

// add adds a record. The error is a *segment.CorruptError for one that may not
// stand there, though it checks.
func (w *totals) add(rec *segment.Record) error {
	w.last, w.end = rec.Kind, rec.Offset+rec.Size
	if rec.Commit() {
		if w.newest = rec.Time; w.first == 0 {
			w.first = rec.Time
		}
	}
	if !rec.Kind.Data() {
		w.others++
		if rec.Kind == segment.Edit {
			_, err := rec.ParseEdit()
			return err
		}
		return nil
	}
	w.entries.add(&segment.Entry{
		Key: rec.Key, Kind: rec.Kind, Flags: rec.Flags, Seq: rec.Seq,
		Offset: rec.Offset, Size: rec.Size, Expiry: rec.Expiry, Slots: rec.Slots,
	})
	if w.kind != segment.Output {
		return nil
	}
	order := bytes.Compare(w.key, rec.Key)
	later := order < 0 || order == 0 && w.seq > rec.Seq
	w.key, w.seq = append(w.key[:0], rec.Key...), rec.Seq
	if !later || rec.Commit() || rec.Vouches() {
		return &segment.CorruptError{Offset: rec.Offset, Reason: "a record that cannot stand there in an output",
			Keys: [][]byte{bytes.Clone(rec.Key)}, FirstSeq: rec.Seq, LastSeq: rec.Seq}
	}
	return nil
}

// against compares with a summary, and says what is not so; empty: all is.
func (w *totals) against(s *segment.Summary) string {
	switch {
	case w.end != s.RecordsEnd:
		return fmt.Sprintf("the records end at %d, by the summary at %d", w.end, s.RecordsEnd)
	case w.kind == segment.Log && w.last != segment.End:
		return "a sealed log without an end record"
	case w.entries.n != s.Entries():
		return fmt.Sprintf("puts and deletes: %d, by the summary %d", w.entries.n, s.Entries())
	case w.others != s.Others:
		return fmt.Sprintf("records of other kinds: %d, by the summary %d", w.others, s.Others)
	case w.first != s.FirstTime || w.newest != s.LastTime:
		return "the first and last commit time are not those of the summary"
	}
	return ""
}
