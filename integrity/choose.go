package integrity

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/varve-db/varve/segment"
)

// better orders files by segment. Of several files of one segment, a file with the segment's name
// comes first, and then a sealed file: a seal that was written anew may have left the log from
// which it was made.
func better(a, b *Entry) int {
	return cmp.Or(a.Header.Ref.Compare(b.Header.Ref), boolOrder(b.Fits(), a.Fits()), boolOrder(b.Sealed, a.Sealed), strings.Compare(a.Name, b.Name))
}

// Groups iterates over the segments of own, and yields the files of each. Own is all of
// Inventory.Own or a part of it, in the same order.
func Groups(own []*Entry) iter.Seq[[]*Entry] {
	return func(yield func([]*Entry) bool) {
		for i := 0; i < len(own); {
			n := i + 1
			for n < len(own) && own[n].Header.Ref == own[i].Header.Ref {
				n++
			}
			if !yield(own[i:n:n]) {
				return
			}
			i = n
		}
	}
}

// Twice returns the error for a segment that has several files, none with the segment's name:
// nothing says which of them counts. The error's File is the name of the second. Nil: the first
// file counts.
func Twice(group []*Entry) *segment.CorruptError {
	if len(group) == 1 || group[0].Fits() {
		return nil
	}
	a, b := group[0], group[1]
	return &segment.CorruptError{File: b.Name, Segment: b.Header.Ref, Reason: "the same segment is in " + a.Name,
		Next: "move one of them out of the folder"}
}

// choose decides between the files of each segment.
func (s *Inventory) choose() error {
	for _, e := range s.Alien {
		s.Others = append(s.Others, e.Name)
	}
	own := s.Own
	s.Own = nil
	for _, e := range own {
		if e.Misnamed() {
			s.demote(e, "under the name of another log; rename it")
		}
	}
	own = slices.DeleteFunc(own, func(e *Entry) bool { return e.Header == nil })
	for group := range Groups(own) {
		if err := Twice(group); err != nil {
			if err := s.problem(segment.InFile(s.FS.Path(err.File), err)); err != nil {
				return err
			}
		}
		e := group[0]
		s.Files = append(s.Files, e)
		if !e.Fits() {
			continue // nothing says which file counts
		}
		for _, o := range group[1:] {
			if o.Fits() {
				s.Dups = append(s.Dups, [2]*Entry{e, o})
			} else {
				s.demote(o, "under the name of another; move it out of the folder")
			}
		}
	}
	s.Bare = byName(s.Bare)
	return nil
}

// demote takes e, which is not in Files, for a file without a usable header.
func (s *Inventory) demote(e *Entry, reason string) {
	e.Err = &segment.CorruptError{Segment: e.Header.Ref, Reason: fmt.Sprintf("the header of %s, %s", e.Header.Ref, reason)}
	e.Header = nil
	s.Bare = append(s.Bare, e)
}

// boolOrder orders false before true.
func boolOrder(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
