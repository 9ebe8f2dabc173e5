package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
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
	flags uint // of tabwriter
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

// write prints the table. out is one that remembers its errors.
func (t *grid) write(out io.Writer) {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', t.flags)
	end := "\n"
	if t.flags&tabwriter.AlignRight != 0 {
		end = "\t\n" // the last column counts as one, too
	}
	if t.head {
		fmt.Fprint(w, strings.Join(t.names, "\t"), end)
	}
	for _, r := range t.rows {
		fmt.Fprint(w, strings.Join(r, "\t"), end)
	}
	w.Flush()
	text := b.String()
	if c, ok := out.(interface{ columns() int }); ok {
		if n := c.columns(); n > 0 && widest(text) > n {
			text = t.folded()
		}
	}
	_, _ = io.WriteString(out, text)
}

// widest returns the columns that the longest line of a text takes.
func widest(text string) int {
	n := 0
	for l := range strings.Lines(text) {
		n = max(n, utf8.RuneCountInString(strings.TrimRight(l, "\n")))
	}
	return n
}

// folded writes a line for each cell.
func (t *grid) folded() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for i, r := range t.rows {
		if i > 0 {
			fmt.Fprintln(w)
		}
		for j, c := range r {
			fmt.Fprintf(w, "%s\t%s\n", t.names[j], c)
		}
	}
	w.Flush()
	return b.String()
}
