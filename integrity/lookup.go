package integrity

import (
	"errors"
	"reflect"
	"sort"

	"github.com/varve-db/varve/segment"
)

// Many segments of one store can be missing or damaged at once. Whatever is looked for once
// for each of them is looked for here, in a map or by a sorted search, so that the work
// grows with their number, and not with its square.

// byID is files by the number in their names.
type byID map[segment.ID][]*Entry

// filesByID returns the files of lists. Those of one number stay in order.
func filesByID(lists ...[]*Entry) byID {
	m := byID{}
	for _, list := range lists {
		for _, e := range list {
			m[e.ID] = append(m[e.ID], e)
		}
	}
	return m
}

// lists is the lists of a Survey by the numbers in the files' names; bare is what Survey.bare
// returns.
type lists struct{ bare, alien, empty, newer byID }

// byID returns the lists that TakeStock made.
func (s *Survey) byID() *lists {
	if s.ids == nil {
		s.ids = &lists{filesByID(s.bare()), filesByID(s.Alien), filesByID(s.Empty), filesByID(s.Newer)}
	}
	return s.ids
}

// searchRef returns the first place in a list of n, in order of Ref.Compare, whose ref is not
// less than ref, and whether it is ref; at returns the ref at a place.
func searchRef(n int, ref segment.Ref, at func(i int) segment.Ref) (i int, found bool) {
	return sort.Find(n, func(i int) int { return ref.Compare(at(i)) })
}

// refList is segments in order of Ref.Compare.
type refList []segment.Ref

func (l refList) at(i int) segment.Ref { return l[i] }

// has reports whether a segment is in the list.
func (l refList) has(ref segment.Ref) bool {
	_, found := searchRef(len(l), ref, l.at)
	return found
}

// ofID returns the segments that have an id, one on each timeline.
func (l refList) ofID(id segment.ID) refList {
	i, _ := searchRef(len(l), segment.Ref{ID: id}, l.at)
	n := i
	for n < len(l) && l[n].ID == id {
		n++
	}
	return l[i:n]
}

// footerAt returns the table of a part of the set; nil: it is no part, or has none.
func (st *Standing) footerAt(ref segment.Ref) *segment.Footer {
	i, found := searchRef(len(st.Parts), ref, func(i int) segment.Ref { return st.Parts[i].Header.Ref })
	if !found {
		return nil
	}
	return st.Parts[i].Footer
}

// unclear is the files of a check's survey that have no sound header or could not be judged.
type unclear struct {
	byID
	byErr map[error]*Entry // by what is wrong with each
}

func (s *Survey) unclear() *unclear {
	all := byName(s.Bare, s.unjudged())
	u := &unclear{filesByID(all), make(map[error]*Entry, len(all))}
	for _, e := range all {
		if key := errorKey(e.Err); key != nil {
			u.byErr[key] = e
		}
	}
	return u
}

// about returns the file that an error is about: err is the error of the entry, or that with
// the name of the file added. Nil: none.
func (u *unclear) about(err error) *Entry {
	for ; err != nil; err = errors.Unwrap(err) {
		if key := errorKey(err); key != nil && u.byErr[key] != nil {
			return u.byErr[key]
		}
	}
	return nil
}

// errorKey returns what tells an error from others, whatever was added to it; nil: nothing does.
func errorKey(err error) error {
	if c, ok := asCorrupt(err); ok {
		return c
	}
	if err == nil || !reflect.TypeOf(err).Comparable() {
		return nil
	}
	return err
}
