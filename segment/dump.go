package segment

import (
	"errors"
	"io"
	"iter"
)

// Dump goes over a whole segment file and yields its parts in order: header,
// records, footer, blocks of the table. It goes on past damage, and checks
// whatever has a checksum, so it reads the file twice if it is sealed. Without a
// header nothing else can be told apart. The error, the last thing yielded, is
// the source's. Items are the caller's.
func Dump(src io.ReaderAt, size int64) iter.Seq2[*Item, error] {
	return func(yield func(*Item, error) bool) {
		d := dumper{yield: func(x *Item) bool { return yield(x, nil) }}
		if err := d.file(src, size); err != nil && !errors.Is(err, errStop) {
			yield(nil, err)
		}
	}
}

// errStop says that who is iterating has seen enough.
var errStop = errors.New("stop")

type dumper struct {
	r     *Reader
	yield func(*Item) bool
}

func (d *dumper) item(x *Item) error {
	if !d.yield(x) {
		return errStop
	}
	return nil
}

// problem splits what a reading call said into what does not check and an error
// of the source.
func problem(err error) (string, error) {
	if c := (*CorruptError)(nil); errors.As(err, &c) {
		return c.Reason, nil
	}
	if errors.Is(err, ErrVersion) || errors.Is(err, ErrNoFooter) {
		return err.Error(), nil
	}
	return "", err
}

func (d *dumper) file(src io.ReaderAt, size int64) error {
	r, err := NewReader(src, size)
	if err != nil {
		p, err := problem(err)
		if err != nil {
			return err
		}
		return d.item(&Item{Size: max(size, 0), What: "damage", Problem: p})
	}
	d.r = r
	if err := d.item(&Item{Size: r.HeaderSize, What: "header", Header: headerItem(r.Header)}); err != nil {
		return err
	}
	f, footerErr := r.OpenFooter()
	p, err := problem(footerErr)
	if err != nil {
		return err
	}
	end := size
	if footerErr == nil {
		end = f.RecordsEnd
	}
	at, err := d.records(end)
	if err != nil {
		return err
	}
	switch {
	case footerErr == nil:
		return d.footer(f)
	case errors.Is(footerErr, ErrNoFooter) && at < size:
		return d.item(&Item{Offset: at, Size: size - at, What: "damage", Problem: "after the end record, and no footer"})
	case !errors.Is(footerErr, ErrNoFooter):
		return d.item(&Item{Offset: at, Size: size - at, What: "footer", Problem: p})
	}
	return nil
}

// records goes over all records up to end and returns the offset that it came
// to: the end, or less after an End record if nothing says where the records
// end.
func (d *dumper) records(end int64) (int64, error) {
	s := Span{From: d.r.HeaderSize, To: end, Next: d.r.seed.First, Depth: CheckValues}
	for s.From < end {
		last, err := d.sound(&s)
		if err == nil && last {
			break
		} else if err == nil {
			continue
		}
		reason, err := problem(err)
		if err != nil {
			return 0, err
		}
		if err := d.past(&s, reason); err != nil {
			return 0, err
		}
	}
	if s.From < end && end < d.r.Size { // a footer says otherwise
		x := &Item{Offset: s.From, Size: end - s.From, What: "damage", Problem: "after the end record"}
		s.From = end
		return end, d.item(x)
	}
	return s.From, nil
}

// sound yields the records of s up to the first that does not check, and moves
// the span along. It says whether an End record was met.
func (d *dumper) sound(s *Span) (last bool, err error) {
	for rec, err := range d.r.Records(*s) {
		if err != nil {
			return false, err
		}
		if err := d.record(s, rec, true, ""); err != nil {
			return false, err
		}
		last = rec.Kind == End
	}
	return last, nil
}

// record yields rec and moves the span behind it.
func (d *dumper) record(s *Span, rec *Record, valueOK bool, problem string) error {
	s.From, s.Next = rec.Offset+rec.Size, rec.Seq
	if rec.Kind.Data() {
		s.Next++
	}
	x := &Item{Offset: rec.Offset, Size: rec.Size, What: "record", Record: recordItem(rec, valueOK), Problem: problem}
	if _, err := rec.ParseEdit(); rec.Kind == Edit && valueOK && err != nil {
		x.Problem = "edit that says nothing"
	}
	return d.item(x)
}

// past yields what stands at the beginning of s, which does not check for the
// reason given: a record of a sound head, or else all bytes up to the next
// sound record.
func (d *dumper) past(s *Span, reason string) error {
	for _, depth := range [...]Depth{CheckValues, Heads} {
		w := d.r.newWalk(Span{From: s.From, To: s.To, Depth: depth})
		w.log = false // its order may be what does not check
		err := w.step()
		if err == nil {
			return d.record(s, &w.rec, depth == CheckValues, reason)
		}
		if _, err = problem(err); err != nil {
			return err
		}
	}
	off, seq, found, err := d.r.Find(s.From+1, s.To, s.Next)
	if err != nil {
		return err
	}
	if !found {
		off, seq = s.To, s.Next
	}
	x := &Item{Offset: s.From, Size: off - s.From, What: "damage", Problem: reason}
	s.From, s.Next = off, seq
	return d.item(x)
}

// footer yields the footer and the blocks of its table.
func (d *dumper) footer(f *Footer) error {
	digest, err := problem(f.CheckDigest())
	if err != nil {
		return err
	}
	x := &Item{Offset: f.RecordsEnd, Size: f.FileSize - f.RecordsEnd, What: "footer", Footer: footerItem(f, digest == "")}
	if digest != "" {
		x.Problem = digest + " is not that"
	}
	whole := f.Cursor()
	for whole.Next() {
	}
	p, err := problem(whole.Err())
	if err != nil {
		return err
	}
	if p != "" {
		x.Problem = p
	}
	if err := d.item(x); err != nil {
		return err
	}
	for i := range f.blocks {
		if err := d.block(f, i); err != nil {
			return err
		}
	}
	return nil
}

func (d *dumper) block(f *Footer, i int) error {
	k := &f.blocks[i]
	c := Cursor{f: f, next: i, end: i + 1}
	for c.Next() {
	}
	p, err := problem(c.Err())
	if err != nil {
		return err
	}
	return d.item(&Item{
		Offset: k.off, Size: k.size, What: "block", Problem: p,
		Block: &BlockItem{Entries: k.count, FirstKey: quote(k.first)},
	})
}
