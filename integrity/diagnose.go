package integrity

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/varve-db/varve/integrity/internal/walk"
	"github.com/varve-db/varve/segment"
)

// diagnosis names what is wrong with a segment file that did not check.
type diagnosis struct {
	ctx  context.Context
	src  *walk.ReadAround
	size int64
	o    *VerifyOptions
	v    *Verified
	r    *segment.Reader
	findings
}

// diagnose returns at least one finding, unless the context ends. why is the error of the
// quick way.
func diagnose(p *pass, size int64, o *VerifyOptions, v *Verified, why error) []Finding {
	d := &diagnosis{ctx: p.Ctx, src: &walk.ReadAround{Ctx: p.Ctx, Src: p}, size: size, o: o, v: v}
	d.ref = o.Ref
	if err := d.file(); err != nil && p.Ctx.Err() == nil {
		d.add(Finding{Kind: Unreadable, Reason: err.Error()})
	}
	for _, x := range d.src.Holes(size) {
		d.add(Finding{Kind: Unreadable, Offset: x.Off, Reason: fmt.Sprintf("%d bytes cannot be read: %v", x.End-x.Off, x.Err)})
	}
	if len(d.list) == 0 {
		reason := "a first reading ended with: " + why.Error() + "; a second one found nothing"
		if errors.Is(why, errDisagree) {
			reason = why.Error()
		}
		d.add(Finding{Kind: Unreadable, Reason: reason})
	}
	for i := range d.list {
		d.list[i].File = o.File
	}
	return d.list
}

// file looks at the whole file again. The error is one of reading.
func (d *diagnosis) file() (err error) {
	d.v.Records, d.v.Summary = 0, segment.Summary{}
	if d.r, err = segment.NewReader(d.src, d.size); err != nil {
		return d.judged(DamagedHeader, err)
	}
	d.v.Header = d.r.Header
	if ref := d.r.Header.Ref; d.o.Ref != (segment.Ref{}) && ref != d.o.Ref {
		d.add(Finding{Kind: Contradiction, Reason: fmt.Sprintf("the header is that of segment %v", ref)})
		return nil
	}
	d.ref = d.r.Header.Ref
	f, footerErr := d.r.OpenFooter()
	end := d.size
	if footerErr == nil {
		d.v.Summary, end = f.Summary, f.RecordsEnd
	} else if err := d.judged(DamagedTable, footerErr); err != nil {
		return err
	}
	w := &diagnoseWalk{walk: walk.Walk{R: d.r, Src: d.src, To: end}, open: footerErr != nil, kind: DamagedRecord, findings: &d.findings}
	if err := w.run(); err != nil {
		return err
	}
	d.v.Records = w.records
	if footerErr != nil {
		if w.sound() && !errors.Is(footerErr, segment.ErrVersion) {
			return d.footerOf(w.end)
		}
		return nil
	}
	if err := d.nameKeys(f, w.ranges); err != nil {
		return err
	}
	return d.table(f, w)
}

// judged adds a finding for an error of the format, and hands on any other.
func (d *diagnosis) judged(k Kind, err error) error {
	switch c, ok := segment.AsCorrupt(err); {
	case ok:
		d.add(Finding{Kind: k, Offset: c.Offset, Reason: c.Reason, Keys: c.Keys, FirstSeq: c.FirstSeq, LastSeq: c.LastSeq})
	case errors.Is(err, segment.ErrVersion):
		d.add(Finding{Kind: NewerVersion, Reason: err.Error()})
	case errors.Is(err, segment.ErrNoFooter):
		d.add(Finding{Kind: k, Offset: d.size, Reason: "the file does not end with a footer"})
	default:
		return err
	}
	return nil
}

// table judges the table of a sound trailer and block index.
func (d *diagnosis) table(f *segment.Footer, w *diagnoseWalk) error {
	c := f.Cursor()
	n := int64(0)
	for c.Next() {
		n++
	}
	// An error after the last entry is about what all of them add up to.
	if err := c.Err(); err != nil && (n < f.Entries() || !w.sound()) {
		return d.judged(DamagedTable, err)
	}
	if w.sound() {
		err := error(nil)
		if w.end != f.RecordsEnd || w.totals.end != f.RecordsEnd {
			d.add(Finding{Kind: WrongTable, Offset: f.RecordsEnd, Reason: w.totals.against(&f.Summary)})
		} else {
			err = d.compareTables(f)
		}
		if err != nil {
			return err
		}
	}
	if len(d.list) > 0 {
		return nil
	}
	if err := f.CheckDigest(); err != nil {
		return d.judged(DamagedDigest, err)
	}
	return nil
}

// VerifyTable checks header, footer and table of the sealed segment in the first size bytes of
// src, by themselves: no record is read. Of the options, File and Ref count.
func VerifyTable(ctx context.Context, src io.ReaderAt, size int64, o VerifyOptions) (*Verified, []Finding) {
	d := &diagnosis{ctx: ctx, size: size, o: &o, v: &Verified{}}
	d.ref = o.Ref
	err := d.tableAlone(src)
	if err != nil && ctx.Err() == nil {
		d.add(Finding{Kind: Unreadable, Reason: err.Error()})
	}
	for i := range d.list {
		d.list[i].File = o.File
	}
	return d.v, d.list
}

// tableAlone is VerifyTable; its error is one of reading.
func (d *diagnosis) tableAlone(src io.ReaderAt) error {
	r, err := segment.NewReader(src, d.size)
	if err != nil {
		return d.judged(DamagedHeader, err)
	}
	f, err := r.OpenFooter()
	if err != nil {
		return d.judged(DamagedTable, err)
	}
	d.v.Summary = f.Summary
	if err := checkTable(f); err != nil {
		return d.judged(DamagedTable, err)
	}
	return nil
}
