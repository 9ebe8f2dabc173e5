package repair

import (
	"fmt"
	"slices"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/segment"
)

// healSet looks at the segments that make up the store, by its newest log l; v is nil if not all of
// l could be read.
func (p *planner) healSet(s *integrity.Inventory, l *integrity.Entry, v *integrity.Verdict) (bool, error) {
	live, err := p.liveOf(l)
	if err != nil {
		return false, err
	}
	if v != nil {
		for _, e := range v.Edits {
			live = e.Apply(live)
		}
	}
	if v != nil && !p.blind {
		p.live = live.With(l.Header.Ref)
	}
	again := false
	for ref := range live.All() {
		healed, err := p.member(s, l, ref)
		if err != nil {
			return false, err
		}
		again = again || healed
	}
	return again || p.setAsideUseless(s, l, live), p.ctx.Err()
}

// liveOf reads the live set in the header of a log.
func (p *planner) liveOf(l *integrity.Entry) (segment.Set, error) {
	src, err := p.view.Open(l.Name)
	if err != nil {
		return segment.Set{}, err
	}
	defer src.Close()
	h, err := l.WholeHeader(src)
	if err != nil {
		return segment.Set{}, segment.InFile(p.view.Path(l.Name), err)
	}
	return h.Live, nil
}

// member looks at one segment of the set.
func (p *planner) member(s *integrity.Inventory, l *integrity.Entry, ref segment.Ref) (bool, error) {
	e := first(s, ref)
	if e == nil {
		return p.missing(s, l, ref), nil
	}
	j, err := p.judge(e)
	if err != nil {
		return false, err
	}
	if j.sound() && !e.Sealed && j.v.Successor == (segment.Ref{}) {
		j.findings = append(j.findings, integrity.Finding{Kind: integrity.DamagedLog, Segment: ref, File: e.Name, Offset: j.v.End, FirstSeq: j.v.NextSeq,
			LastSeq: max(j.v.NextSeq, l.Header.FirstSeq-1), Reason: "the log does not end here, since a later one was begun"})
	}
	return !j.sound() && p.healFile(e, j, true), nil
}

// missing heals a segment that has no file with a sound header.
func (p *planner) missing(s *integrity.Inventory, l *integrity.Entry, ref segment.Ref) bool {
	f := integrity.Finding{Kind: integrity.Missing, Segment: ref, Reason: "no file of this segment is there"}
	ids := s.FilesByID()
	if len(ids.Newer[ref.ID]) > 0 {
		return false // and said so
	}
	named := slices.Concat(ids.Headerless[ref.ID], ids.Alien[ref.ID], ids.Empty[ref.ID])
	if len(named) == 0 {
		return p.heal(ref, nil, f, true)
	}
	e := named[0]
	f.File = e.Name
	if c, ok := segment.AsCorrupt(e.Err); ok {
		f.Kind, f.Offset, f.Reason = integrity.DamagedHeader, c.Offset, "header: "+c.Reason
	} else if e.Err != nil {
		f.Kind, f.Reason = integrity.Unreadable, e.Err.Error()
	} else if e.Header != nil {
		f.Reason = "the file is of another store"
	}
	return p.heal(ref, e, f, true)
}

// first returns the first file of a segment, nil if there is none.
func first(s *integrity.Inventory, ref segment.Ref) *integrity.Entry {
	for _, e := range s.FilesOf(ref) {
		return e
	}
	return nil
}

// setAsideUseless sets aside files without a sound header that belong to no segment of the store. The
// store does not open as long as they are there.
func (p *planner) setAsideUseless(s *integrity.Inventory, l *integrity.Entry, live segment.Set) (again bool) {
	if p.blind || len(p.plan.Left) > 0 || len(s.Headerless()) == 0 {
		return false // one of them may be what is looked for
	}
	lacking := map[segment.ID]bool{}
	for r := range live.All() {
		if first(s, r) == nil {
			lacking[r.ID] = true
		}
	}
	for _, e := range s.Headerless() {
		if e.ID >= l.Header.Ref.ID || lacking[e.ID] || e.ID == l.Header.Replaced.ID && !e.Sealed {
			continue
		}
		p.step(Step{Action: SetAside, File: e.Name, Reason: fmt.Sprintf("no sound header, and no segment of the store is missing: %v", e.Err)})
		again = true
	}
	return again
}
