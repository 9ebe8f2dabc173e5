package table

import (
	"fmt"
	"io"
	"unicode/utf8"
)

// A Table prints rows of cells in columns. Where a row does not fit on a line of the terminal,
// each cell gets a line of its own, with the name of its column.
type Table struct {
	names []string
	Head  bool // print the names above the columns
	Right bool // cells end at the right of their column
	rows  [][]string
}

// New returns an empty table with columns of these names.
func New(names ...string) *Table { return &Table{names: names, Head: true} }

// Row adds a row; a cell is written as fmt.Sprint does.
func (t *Table) Row(cells ...any) {
	texts := make([]string, len(cells))
	for i, c := range cells {
		texts[i] = fmt.Sprint(c)
	}
	t.rows = append(t.rows, texts)
}

// columnGap is the least number of spaces between two columns.
const columnGap = 2

// Write prints the table, a line at a time: the text of a table with a row for each of many
// segments would take as much memory as the store. out is one that remembers its errors.
func (t *Table) Write(out io.Writer) {
	widths := t.widths()
	line := columnGap * (len(widths) - 1)
	if t.Right {
		line += columnGap
	}
	for _, n := range widths {
		line += n
	}
	if c, ok := out.(interface{ Columns() int }); ok {
		if n := c.Columns(); n > 0 && line > n {
			t.writeFolded(out)
			return
		}
	}
	if t.Head {
		t.writeRow(out, t.names, widths)
	}
	for _, r := range t.rows {
		t.writeRow(out, r, widths)
	}
}

// widths returns the runes of the widest cell of each column.
func (t *Table) widths() []int {
	widths := make([]int, len(t.names))
	grow := func(cells []string) {
		for i, c := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	if t.Head {
		grow(t.names)
	}
	for _, r := range t.rows {
		grow(r)
	}
	return widths
}

func (t *Table) writeRow(out io.Writer, cells []string, widths []int) {
	for i, c := range cells {
		switch {
		case t.Right:
			fmt.Fprintf(out, "%*s", widths[i]+columnGap, c)
		case i < len(cells)-1:
			fmt.Fprintf(out, "%-*s", widths[i]+columnGap, c)
		default:
			_, _ = io.WriteString(out, c)
		}
	}
	_, _ = io.WriteString(out, "\n")
}

// writeFolded writes a line for each cell.
func (t *Table) writeFolded(out io.Writer) {
	widest := 0
	for _, n := range t.names {
		widest = max(widest, utf8.RuneCountInString(n))
	}
	for i, r := range t.rows {
		if i > 0 {
			fmt.Fprintln(out)
		}
		for j, c := range r {
			fmt.Fprintf(out, "%-*s%s\n", widest+columnGap, t.names[j], c)
		}
	}
}
