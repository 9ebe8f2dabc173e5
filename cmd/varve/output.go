package main

import (
	"bufio"
	"os"
)

// output is standard output. It remembers the first error of a write, so that no command can
// forget it: run makes it the command's error.
type output struct {
	file *os.File
	err  error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.file.Write(p)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// Columns returns how many columns a line of the terminal has, 0 if it is none.
func (o *output) Columns() int { return columns(o.file) }

// page is standard output with a buffer.
type page struct {
	*bufio.Writer
	of *output
}

func (a *app) page() *page { return &page{bufio.NewWriter(a.out), a.out} }

func (p *page) Columns() int { return p.of.Columns() }
