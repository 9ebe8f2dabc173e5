package repair

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/integrity/internal/walk"
	"github.com/varve-db/varve/segment"
)

// candidate is a segment to be healed, and what its own file still says of it.
type candidate struct {
	ref   segment.Ref
	e     *integrity.Entry // nil: there is no file
	ended bool             // it must be complete: a later log was begun

	header  []byte           // its own, encoded, if it is sound
	trailer *segment.Summary // its own, if that is sound
	durable int64            // as a log, it or the witness of a close says that it was on the disk up to here
	reach   int64            // as a log, up to here it has sound records
}

// heal adds the step that heals a segment, and reports whether there is one.
// Otherwise the finding is left, with the reason why each way failed.
func (p *planner) heal(ref segment.Ref, e *integrity.Entry, f integrity.Finding, ended bool) bool {
	what := ref.String()
	if e != nil {
		what = e.Name
	}
	if p.tried[what] || p.healed[what] || e != nil && p.view.of(e.Name) == nil {
		return false
	}
	x := &candidate{ref: ref, e: e, ended: ended}
	if e == nil {
		x.e = p.quarantined(ref)
	}
	for _, way := range []func(*candidate) (*Step, error){p.takeCopy, p.rebuild, p.join} {
		s, err := way(x)
		if s != nil && err == nil {
			s.Segment, s.Reason = ref, f.Reason
			if e != nil {
				s.File = e.Name
			}
			if s.To == s.File {
				s.To = ""
			}
			err = p.freeName(s)
		}
		if s != nil && err == nil {
			p.step(*s)
			p.healed[s.target()] = true // whatever comes of it is not healed again
			return true
		}
		if err != nil {
			f.Reason += "; " + err.Error()
		}
	}
	f.Segment = ref
	p.leave(what, f)
	return false
}

// freeName sets aside the file that has the name which a step's file gets, if that file has no sound
// header, is of another store, or is no segment of this store.
func (p *planner) freeName(s *Step) error {
	name := s.target()
	if name == s.File || p.view.of(name) == nil {
		return nil
	}
	e := integrity.ReadEntry(p.view, name)
	mine := e.Header != nil && e.Header.UUID == p.plan.UUID && (p.live.Len() == 0 || p.live.Has(e.Header.Ref))
	if e.Err != nil && !segment.IsCorrupt(e.Err) || mine {
		return fmt.Errorf("%s is in its place, and is not touched", name)
	}
	p.step(Step{Action: SetAside, File: name, Reason: fmt.Sprintf("it has the name of segment %v, and is not that", s.Segment)})
	return nil
}

// quarantined returns the file that an earlier repair moved to quarantine from a segment that has
// no file now. Without hard links, that repair may have been cut off before the new file was in
// place.
func (p *planner) quarantined(ref segment.Ref) *integrity.Entry {
	list, err := p.view.ReadDir(integrity.QuarantineName)
	if err != nil {
		return nil // mostly, that there is no such folder
	}
	var last *integrity.Entry
	for _, d := range list {
		base, n, ok := cutLast(d.Name())
		if !ok || base != fileName(ref.ID, true) && base != fileName(ref.ID, false) {
			continue
		}
		e := integrity.ReadEntry(p.view, integrity.QuarantineName+"/"+d.Name())
		e.ID, e.Sealed = ref.ID, base == fileName(ref.ID, true)
		if e.Err != nil && !segment.IsCorrupt(e.Err) || e.Header != nil && (e.Header.Ref != ref || e.Header.UUID != p.plan.UUID) {
			continue
		}
		if _, m, _ := cutLast(nameOf(last)); n > m {
			last = e
		}
	}
	return last
}

func nameOf(e *integrity.Entry) string {
	if e == nil {
		return ""
	}
	return e.Name
}

// cutLast splits a name before its last part, a number.
func cutLast(name string) (base string, n int, ok bool) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return "", 0, false
	}
	n, err := strconv.Atoi(name[i+1:])
	return name[:i], n, err == nil
}

// examine reads all that can be read of the candidate's own file. like is the same segment in
// another copy, or nil.
func (p *planner) examine(x *candidate, like *segment.Reader) error {
	x.header, x.trailer, x.durable, x.reach = nil, nil, 0, 0
	if w := p.witness; w != nil && w.UUID == p.plan.UUID && w.Ref == x.ref {
		x.durable = w.Offset
	}
	if x.e == nil {
		return nil
	}
	f, err := p.view.Open(x.e.Name)
	if err != nil {
		return err
	}
	defer f.Close()
	if x.e.Size == 0 {
		x.e.Size, _ = f.Size() // it could not be asked for with the header
	}
	src := &walk.ReadAround{Ctx: p.ctx, Src: f}
	h := x.e.Header
	if h != nil && h.Ref == x.ref && h.UUID == p.plan.UUID {
		own, err := x.e.WholeHeader(f)
		if err != nil {
			return err
		}
		x.header = own.Append(nil)
	} else if like != nil {
		h = &like.Header.Head
	} else {
		h = &segment.Head{Kind: segment.Log, UUID: p.plan.UUID, Ref: x.ref, FirstSeq: 1}
	}
	r := segment.ReaderFor(h, src, x.e.Size)
	if x.header != nil {
		r.HeaderSize = int64(len(x.header))
	} else if like != nil {
		r.HeaderSize = min(like.HeaderSize, x.e.Size)
	}
	x.trailer, _ = r.Trailer()
	if h.Kind != segment.Log {
		return nil
	}
	w := &walk.Walk{R: r, Src: src, To: x.e.Size, Rec: func(rec *segment.Record) error {
		if rec.Vouches() {
			x.durable = max(x.durable, rec.Vouch)
		}
		if rec.Commit() {
			x.reach = rec.Offset + rec.Size
		}
		return p.ctx.Err()
	}}
	return w.Run()
}

// donated opens what the other copy has of a segment. It is the caller's to close.
func (p *planner) donated(x *candidate) (*segment.Reader, integrity.Source, error) {
	if !p.has.has(x.ref) {
		if p.from == nil {
			return nil, nil, nil
		}
		return nil, nil, fmt.Errorf("%s does not have it", p.from)
	}
	src, size, err := p.from.Segment(p.ctx, p.plan.UUID, x.ref)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", p.from, err)
	}
	r, err := segment.NewReader(src, size)
	if err == nil && (r.Header.Ref != x.ref || r.Header.UUID != p.plan.UUID) {
		err = fmt.Errorf("its header is that of %v", r.Header.Ref)
	}
	if err == nil {
		err = p.examine(x, r)
	}
	if err == nil && x.header != nil && !bytes.Equal(x.header, r.Header.Append(nil)) {
		err = errors.New("its header is another, though both are sound")
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", p.from, err), src.Close())
	}
	return r, src, nil
}

// reopen returns a function that opens the other copy's file again.
func (p *planner) reopen(ref segment.Ref) func() (integrity.Source, error) {
	return func() (integrity.Source, error) {
		src, _, err := p.from.Segment(p.ctx, p.plan.UUID, ref)
		return src, err
	}
}

// takeCopy heals with the file of the other copy as it is. No step and no error means that there is
// no other copy.
func (p *planner) takeCopy(x *candidate) (*Step, error) {
	r, src, err := p.donated(x)
	if r == nil {
		return nil, err
	}
	defer src.Close()
	c := &content{open: p.reopen(x.ref), size: r.Size, mode: 0o600}
	f, err := r.OpenFooter()
	sealed := err == nil
	switch {
	case sealed:
		c.mode = 0o400
		err = p.fitsSealed(x, r, src, f)
	case errors.Is(err, segment.ErrNoFooter) && r.Header.Kind == segment.Log:
		err = p.fitsLog(x, r)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.from, err)
	}
	return &Step{Action: TakeCopy, To: fileName(x.ref.ID, sealed), Source: p.from.String(), new: c}, nil
}

// fitsSealed proves that a sealed file of the other copy is the candidate's segment.
func (p *planner) fitsSealed(x *candidate, r *segment.Reader, src integrity.Source, f *segment.Footer) error {
	_, list, err := integrity.VerifySealed(p.ctx, src, r.Size, integrity.VerifyOptions{Ref: x.ref, Progress: p.progress})
	switch {
	case err != nil:
		return err
	case len(list) > 0:
		return fmt.Errorf("it is damaged, too: %s", list[0].Reason)
	case x.durable > f.RecordsEnd:
		return fmt.Errorf("its records end at %d, and here they were on the disk up to %d", f.RecordsEnd, x.durable)
	}
	return x.sameAs(f.SHA256)
}

// sameAs compares with the candidate's own digest, as far as that can be read.
func (x *candidate) sameAs(sum [32]byte) error {
	if x.trailer != nil && x.trailer.SHA256 != sum {
		return fmt.Errorf("its SHA-256 is %x, and that of the segment was %x", sum, x.trailer.SHA256)
	}
	return nil
}

// fitsLog proves that an unsealed log of the other copy can take the candidate's place.
func (p *planner) fitsLog(x *candidate, r *segment.Reader) error {
	v, err := integrity.Judge(nil, r, integrity.Log)
	if err != nil {
		return fmt.Errorf("it is damaged, too: %w", err)
	}
	ended := v.Successor != (segment.Ref{})
	switch {
	case v.End < max(x.durable, x.reach):
		return fmt.Errorf("it has the log up to %d only", v.End)
	case !ended && (x.ended || x.trailer != nil):
		return errors.New("it has the beginning of the log only")
	case x.trailer == nil:
		return nil
	}
	_, sum, err := r.Seal(v.End)
	if err != nil {
		return err
	}
	return x.sameAs(sum.SHA256)
}
