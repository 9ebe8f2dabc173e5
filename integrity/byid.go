package integrity

import "github.com/varve-db/varve/segment"

// Many segments of one store can be missing or damaged at once. Each lookup uses a map or a
// binary search, so that the work does not grow with the square of their number.

// ByID returns the files of lists by the number in their names. Those of one number stay in
// order.
func ByID(lists ...[]*Entry) map[segment.ID][]*Entry {
	m := map[segment.ID][]*Entry{}
	for _, list := range lists {
		for _, e := range list {
			m[e.ID] = append(m[e.ID], e)
		}
	}
	return m
}

// FilesByID is lists of an Inventory by the numbers in the files' names.
type FilesByID struct {
	Headerless, Alien, Empty, Newer map[segment.ID][]*Entry
}

// FilesByID returns the lists that ReadHeaders made. They are made once.
func (s *Inventory) FilesByID() *FilesByID {
	if s.ids == nil {
		s.ids = &FilesByID{ByID(s.Headerless()), ByID(s.Alien), ByID(s.Empty), ByID(s.Newer)}
	}
	return s.ids
}
