package table

import (
	"strings"
	"testing"
)

// screen is output on a terminal of some columns.
type screen struct {
	strings.Builder
	n int
}

func (s *screen) Columns() int { return s.n }

func TestTablesFit(t *testing.T) {
	g := New("id", "name")
	g.Row(1, "a long name")
	g.Row(22, "ü")
	for n, want := range map[int]string{
		0:  "id  name\n1   a long name\n22  ü\n",
		15: "id  name\n1   a long name\n22  ü\n",
		14: "id    1\nname  a long name\n\nid    22\nname  ü\n",
	} {
		s := &screen{n: n}
		if g.Write(s); s.String() != want {
			t.Errorf("on %d columns:\n%swant:\n%s", n, s, want)
		}
	}
}
