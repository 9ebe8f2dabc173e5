package main

import (
	"bufio"
	"os"

	"github.com/varve-db/varve/cmd/varve/internal/terminal"
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
func (o *output) Columns() int { return terminal.Columns(o.file) }

// page is standard output with a buffer.
type page struct {
	*bufio.Writer
	of *output
}

func (a *app) page() *page { return &page{bufio.NewWriter(a.out), a.out} }

func (p *page) Columns() int { return p.of.Columns() }

// watched reports whether somebody looks at standard error.
func (a *app) watched() bool { return terminal.Is(a.errs) }

// meter returns the meter of work on total bytes, -1 if that is not known; where nobody watches,
// nil. What is printed on standard error clears it.
func (a *app) meter(what string, total int64) *terminal.Meter {
	a.bar = terminal.NewMeter(a.errs, what, total, func() { a.bar = nil })
	return a.bar
}
