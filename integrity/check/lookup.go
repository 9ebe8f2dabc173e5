package check

import (
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/segment"
)

// footerAt returns the table of a part of the set; nil: it is no part, or has none.
func (c *checker) footerAt(ref segment.Ref) *segment.Footer {
	i, found := slices.BinarySearchFunc(c.st.Parts, ref, func(p *integrity.Part, ref segment.Ref) int { return p.Header.Ref.Compare(ref) })
	if !found {
		return nil
	}
	return c.st.Parts[i].Footer
}

// unclear is the files of a survey that have no sound header, or could not be judged.
type unclear struct {
	byID  map[segment.ID][]*integrity.Entry
	byErr map[error]*integrity.Entry // by the error of each
}

// unclearOf returns the unclear files of a survey.
func unclearOf(s *integrity.Inventory) *unclear {
	all := slices.Concat(s.Bare, s.Newer, s.Unread)
	slices.SortFunc(all, func(a, b *integrity.Entry) int { return strings.Compare(a.Name, b.Name) })
	u := &unclear{integrity.ByID(all), make(map[error]*integrity.Entry, len(all))}
	for _, e := range all {
		if key := errorKey(e.Err); key != nil {
			u.byErr[key] = e
		}
	}
	return u
}

// about returns the file that an error is about: err is the error of the entry, or that with
// the name of the file added. Nil: none.
func (u *unclear) about(err error) *integrity.Entry {
	for ; err != nil; err = errors.Unwrap(err) {
		if key := errorKey(err); key != nil && u.byErr[key] != nil {
			return u.byErr[key]
		}
	}
	return nil
}

// errorKey returns the value by which an error is known, also after text was added to it; nil: there
// is none.
func errorKey(err error) error {
	if c, ok := segment.AsCorrupt(err); ok {
		return c
	}
	if err == nil || !reflect.TypeOf(err).Comparable() {
		return nil
	}
	return err
}
