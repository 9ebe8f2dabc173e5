package integrity

import (
	"fmt"
	"slices"

	"github.com/varve-db/varve/segment"
)

// owner decides whose folder this is: the store that most headers name. Of two
// that have one file each it is that of the first, since a torn first write to
// the second may have uncovered a header of some other store.
func (s *Survey) owner(found []*Entry) (segment.UUID, error) {
	count := map[segment.UUID]int{}
	var best, second segment.UUID
	for _, e := range found {
		if e.Header != nil {
			count[e.Header.UUID]++
		}
	}
	for _, e := range found { // by name
		if e.Header == nil || e.Header.UUID == best {
			continue
		}
		if u := e.Header.UUID; count[u] > count[best] {
			best, second = u, best
		} else if count[u] > count[second] {
			second = u
		}
	}
	if n := count[second]; n > 1 && n == count[best] {
		return best, fmt.Errorf("%s: segments of two stores, %s and %s: %w", s.FS.Path("."), best, second, ErrNotStore)
	}
	return best, nil
}

// place puts an entry where it belongs.
func (s *Survey) place(e *Entry) error {
	switch {
	case e.Header == nil && e.Size == 0 && !e.Sealed && e.Err == nil:
		s.Empty = append(s.Empty, e)
	case e.Header == nil:
		if e.Err == nil {
			e.Err = &segment.CorruptError{Reason: "a sealed segment without a byte"}
		}
		s.Bare = append(s.Bare, e)
	case e.Header.UUID != s.UUID:
		s.Others = append(s.Others, e.Name)
		if !e.Sealed {
			s.alien = append(s.alien, e)
		}
	case !e.Sealed && !e.fits():
		// What a torn first write uncovers may be the header of a freed file.
		s.demote(e, "under the name of another log; rename it")
	default:
		s.MaxID = max(s.MaxID, e.Header.Ref.ID)
		o := s.ByRef[e.Header.Ref]
		if o != nil && o.Name == e.Name { // listed as a log, and again when it had been sealed
			return nil
		}
		if o != nil {
			return s.problem(s.twice(o, e))
		}
		s.ByRef[e.Header.Ref] = e
		s.Files = append(s.Files, e)
	}
	return nil
}

// demote makes e a file without a sound header.
func (s *Survey) demote(e *Entry, reason string) {
	e.Err = &segment.CorruptError{Segment: e.Header.Ref, Reason: fmt.Sprintf("the header of %s, %s", e.Header.Ref, reason)}
	if s.ByRef[e.Header.Ref] == e {
		delete(s.ByRef, e.Header.Ref)
		s.Files = slices.DeleteFunc(s.Files, func(o *Entry) bool { return o == e })
	}
	e.Header = nil
	s.Bare = append(s.Bare, e)
}

// twice decides between two files of the same segment: a seal that was written
// anew may have left the log it was made from.
func (s *Survey) twice(a, b *Entry) error {
	if b.Sealed {
		a, b = b, a
	}
	if a.Sealed && !b.Sealed && a.ID == b.ID {
		s.Dups = append(s.Dups, [2]*Entry{a, b})
		s.ByRef[a.Header.Ref] = a
		if i := slices.Index(s.Files, b); i >= 0 {
			s.Files[i] = a
		}
		return nil
	}
	if a.fits() == b.fits() {
		return &segment.CorruptError{File: s.FS.Path(b.Name), Segment: b.Header.Ref, Reason: "the same segment is in " + a.Name,
			Next: "move one of them out of the folder"}
	}
	if b.fits() {
		a, b = b, a
	}
	s.demote(b, "under the name of another; move it out of the folder")
	if s.ByRef[a.Header.Ref] == nil {
		s.ByRef[a.Header.Ref] = a
		s.Files = append(s.Files, a)
	}
	return nil
}

// fits reports whether the name is that of the segment.
func (e *Entry) fits() bool { return e.ID == e.Header.Ref.ID }
