package main

import (
	"bufio"
	"fmt"
	"io"
	"unicode/utf8"
)

func (o *output) columns() int { return columns(o.file) }

// page is standard output with a buffer.
type page struct {
	*bufio.Writer
	of *output
}

func (a *app) page() *page { return &page{bufio.NewWriter(a.out), a.out} }

func (p *page) columns() int { return p.of.columns() }

// grid is a table: it prints rows of cells in columns. Where a row does not fit on a line of the terminal,
// each cell gets a line of its own, with the name of its column.
type grid struct {
	names []string
	head  bool // print the names above the columns
	right bool // cells end at the right of their column
	rows  [][]string
}

func newGrid(names ...string) *grid { return &grid{names: names, head: true} }

func (t *grid) row(cells ...any) {
	texts := make([]string, len(cells))
	for i, c := range cells {
		texts[i] = fmt.Sprint(c)
	}
	t.rows = append(t.rows, texts)
}

// columnGap is the least number of spaces between two columns.
const columnGap = 2

// write prints the table, a line at a time: the text of a table with a row for each of many
// segments would take as much memory as the store. out is one that remembers its errors.
func (t *grid) write(out io.Writer) {
	widths := t.widths()
	line := columnGap * (len(widths) - 1)
	if t.right {
		line += columnGap
	}
	for _, n := range widths {
		line += n
	}
	if c, ok := out.(interface{ columns() int }); ok {
		if n := c.columns(); n > 0 && line > n {
			t.writeFolded(out)
			return
		}
	}
	if t.head {
		t.writeRow(out, t.names, widths)
	}
	for _, r := range t.rows {
		t.writeRow(out, r, widths)
	}
}

// widths returns the runes of the widest cell of each column.
func (t *grid) widths() []int {
	widths := make([]int, len(t.names))
	grow := func(cells []string) {
		for i, c := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	if t.head {
		grow(t.names)
	}
	for _, r := range t.rows {
		grow(r)
	}
	return widths
}

func (t *grid) writeRow(out io.Writer, cells []string, widths []int) {
	for i, c := range cells {
		switch {
		case t.right:
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
func (t *grid) writeFolded(out io.Writer) {
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
