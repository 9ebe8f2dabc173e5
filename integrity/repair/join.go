package repair

import (
	"errors"
	"fmt"
	"strings"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/segment"
)

// rebuild heals a sealed segment of sound records by a new footer, which is a pure
// function of them.
func (p *planner) rebuild(x *candidate) (*Step, error) {
	if x.e == nil || !x.e.Sealed || x.e.Header == nil || x.e.Header.Ref != x.ref {
		return nil, nil
	}
	if x.header == nil {
		if err := p.examine(x, nil); err != nil {
			return nil, err
		}
	}
	own := p.view.of(x.e.Name)
	open := func() (integrity.Source, error) { return p.view.source(own) }
	source := "its own records"
	if strings.HasPrefix(x.e.Name, integrity.QuarantineName) {
		source = "the records of " + x.e.Name
	}
	return p.footed(x, open, x.e.Size, RebuildTable, source)
}

// footed makes the step that puts a sealed segment in place: the records that open
// gives, in so many bytes, and the footer that is theirs.
func (p *planner) footed(x *candidate, open func() (integrity.Source, error), size int64, a Action, source string) (*Step, error) {
	src, err := open()
	if err != nil {
		return nil, err
	}
	defer src.Close()
	r, err := segment.NewReader(src, size)
	if err != nil {
		return nil, err
	}
	end, err := recordsEnd(x, r)
	if err != nil {
		return nil, err
	}
	footer, sum, err := r.Seal(end)
	if err != nil {
		return nil, err
	}
	if err := x.sameAs(sum.SHA256); err != nil && !p.asSealed(x) {
		return nil, fmt.Errorf("with a table made anew %w", err)
	}
	made := func() (integrity.Source, error) {
		src, err := open()
		if err != nil {
			return nil, err
		}
		return openedFile{integrity.WithFooter(src, footer, end), src}, nil
	}
	return &Step{Action: a, To: fileName(x.ref.ID, true), Source: source,
		new: &content{open: made, size: sum.FileSize, mode: 0o400}}, nil
}

// recordsEnd returns where the records of a segment end. The records of a log end with its End
// record; for an output the trailer has the offset.
func recordsEnd(x *candidate, r *segment.Reader) (int64, error) {
	if r.Header.Kind == segment.Output {
		if x.trailer == nil {
			return 0, errors.New("nothing says where the records of the output end")
		}
		return x.trailer.RecordsEnd, nil
	}
	v, err := integrity.Judge(nil, r, integrity.Log)
	if err == nil && v.Successor == (segment.Ref{}) {
		err = fmt.Errorf("the log is not complete: its records end at %d", v.End)
	}
	if err != nil {
		return 0, err
	}
	return v.End, nil
}

// asSealed reports whether the candidate is a log that is, byte for byte, as it was
// sealed, with a table that was wrong from the beginning: then its records decide.
func (p *planner) asSealed(x *candidate) bool {
	f, err := p.view.Open(x.e.Name)
	if err != nil {
		return false
	}
	defer f.Close()
	r, err := segment.NewReader(f, x.e.Size)
	if err != nil || r.Header.Kind != segment.Log {
		return false
	}
	footer, err := r.OpenFooter()
	return err == nil && footer.CheckDigest() == nil
}

// join heals a log with the bytes that the other copy has of it, followed by the log's own bytes.
// Bytes of one log at the same offsets are the same history.
func (p *planner) join(x *candidate) (*Step, error) {
	if x.e == nil {
		return nil, nil
	}
	r, src, _ := p.donated(x)
	if r == nil {
		return nil, nil // and takeCopy said why
	}
	defer src.Close()
	if r.Header.Kind != segment.Log {
		return nil, nil
	}
	v, err := integrity.Judge(nil, r, integrity.Log)
	if err != nil || v.End >= x.e.Size {
		return nil, nil // likewise
	}
	own, cut := p.view.of(x.e.Name), v.End
	first := p.reopen(x.ref)
	open := func() (integrity.Source, error) {
		a, err := first()
		if err != nil {
			return nil, err
		}
		b, err := p.view.source(own)
		if err != nil {
			return nil, errors.Join(err, a.Close())
		}
		return &joined{first: a, rest: b, cut: cut}, nil
	}
	source := fmt.Sprintf("%s up to offset %d, and its own bytes from there on", p.from, cut)
	if x.e.Sealed {
		return p.footed(x, open, x.e.Size, JoinCopy, source)
	}
	if err := p.joins(x, open); err != nil {
		return nil, fmt.Errorf("with the first %d bytes of the log from there: %w", cut, err)
	}
	return &Step{Action: JoinCopy, To: fileName(x.ref.ID, false), Source: source,
		new: &content{open: open, size: x.e.Size, mode: 0o600}}, nil
}

// joins proves that a log made of two parts is sound, and as long as its own part
// says that it was.
func (p *planner) joins(x *candidate, open func() (integrity.Source, error)) error {
	src, err := open()
	if err != nil {
		return err
	}
	defer src.Close()
	r, err := segment.NewReader(src, x.e.Size)
	if err != nil {
		return err
	}
	v, err := integrity.Judge(nil, r, integrity.Log)
	switch {
	case err != nil:
		return err
	case v.End < x.durable:
		return fmt.Errorf("it ends at %d, and was on the disk up to %d", v.End, x.durable)
	case x.ended && v.Successor == (segment.Ref{}):
		return errors.New("it is not complete")
	}
	return nil
}
