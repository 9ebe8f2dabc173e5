package archive

import (
	"fmt"

	"github.com/varve-db/varve/segment"
)

// RefList names a few segments and counts the others.
func RefList(refs []segment.Ref) string {
	const most = 5
	s := ""
	for i, r := range refs {
		if i == most {
			return fmt.Sprintf("%s and %d more", s, len(refs)-most)
		}
		if i > 0 {
			s += ", "
		}
		s += r.String()
	}
	return s
}
