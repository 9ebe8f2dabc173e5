package repair

import (
	"fmt"
	"slices"
	"strings"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/segment"
)

// names gives each segment one file, under its name.
func (p *planner) names() error {
	s, err := p.look()
	if err != nil {
		return err
	}
	if err := p.strays(s); err != nil {
		return err
	}
	for group := range integrity.Groups(s.Own) {
		if len(group) > 1 {
			if err := p.twins(group); err != nil {
				return err
			}
		}
	}
	if s, err = p.look(); err != nil {
		return err
	}
	if err := p.strays(s); err != nil {
		return err
	}
	p.rename(s)
	return nil
}

// strays removes from s.Own a file that looks like a log under a wrong name and may be none: the
// first write to the log that the newest one names may have been torn, and have uncovered the
// header of a freed file.
func (p *planner) strays(s *integrity.Inventory) error {
	l := integrity.NewestOf(slices.DeleteFunc(slices.Clone(s.Own), (*integrity.Entry).Misnamed))
	if l == nil {
		return nil
	}
	j, err := p.judge(l)
	if err != nil || j.v == nil || j.v.Successor == (segment.Ref{}) {
		return err
	}
	s.Own = slices.DeleteFunc(s.Own, func(e *integrity.Entry) bool { return e.Misnamed() && e.ID == j.v.Successor.ID })
	return nil
}

// twins keeps the best of several files of one segment. If one of them is sealed, the log was ended:
// then a file without the end of the log is not whole, even if it is sound.
func (p *planner) twins(group []*integrity.Entry) error {
	best, rank := -1, int64(-1)
	ended := slices.ContainsFunc(group, func(e *integrity.Entry) bool { return e.Sealed })
	for i, e := range group {
		j, err := p.judge(e)
		if err != nil {
			return err
		}
		n := int64(0)
		switch {
		case j.sound() && e.Sealed:
			n = 1 << 62
		case j.sound() && (!ended || j.v.Successor != (segment.Ref{})):
			n = 4 * j.v.End
		case e.Sealed:
			n = 2
		}
		if e.Fits() {
			n++
		}
		if n > rank {
			best, rank = i, n
		}
	}
	keep := group[best]
	if j := p.judged[keep.Name]; !j.sound() && !p.healFile(keep, j, keep.Sealed) {
		for _, e := range group {
			p.leave(e.Name, integrity.Finding{Kind: integrity.Contradiction, Segment: e.Header.Ref, File: e.Name, Reason: "the same segment is in " + keep.Name + ", and neither is sound"})
		}
		return nil
	}
	for _, e := range group {
		if e != keep && p.view.of(e.Name) != nil {
			p.step(Step{Action: SetAside, File: e.Name, Segment: e.Header.Ref, Reason: "the same segment is in " + keep.Name + ", which is sound"})
		}
	}
	return nil
}

// fileName is the name of a segment's file.
func fileName(id segment.ID, sealed bool) string {
	if sealed {
		return segment.FileName(id, segment.SealedExt)
	}
	return segment.FileName(id, segment.OpenExt)
}

// rename gives files of sound headers the names of their segments.
func (p *planner) rename(s *integrity.Inventory) {
	var todo []*integrity.Entry
	for _, e := range s.Own {
		if !e.Fits() || e.Sealed != strings.HasSuffix(e.Name, segment.SealedExt) {
			todo = append(todo, e)
		}
	}
	to := func(e *integrity.Entry, name string) {
		p.step(Step{Action: Rename, File: e.Name, To: name, Segment: e.Header.Ref, Reason: fmt.Sprintf("it is segment %v", e.Header.Ref), new: p.view.of(e.Name)})
	}
	for len(todo) > 0 {
		n := len(todo)
		todo = slices.DeleteFunc(todo, func(e *integrity.Entry) bool {
			want := fileName(e.Header.Ref.ID, e.Sealed)
			if p.view.of(want) != nil && !p.makeWay(s, want) {
				return !slices.ContainsFunc(todo, func(o *integrity.Entry) bool { return o.Name == want })
			}
			to(e, want)
			return true
		})
		if len(todo) == n { // they have each other's names
			s.MaxID++
			e := *todo[0]
			to(&e, fileName(s.MaxID, e.Sealed))
			e.Name = fileName(s.MaxID, e.Sealed)
			todo[0] = &e
		}
	}
}

// makeWay sets aside the file that has the name of a sound segment, if it is of another store or a
// log not begun.
func (p *planner) makeWay(s *integrity.Inventory, name string) bool {
	for _, e := range slices.Concat(s.Alien, s.Empty) {
		if e.Name == name {
			p.step(Step{Action: SetAside, File: name, Reason: "it has the name of a segment that is in another file"})
			return true
		}
	}
	return false
}
