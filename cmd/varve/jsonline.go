package main

import (
	"bufio"
	"encoding/json"
	"io"

	"github.com/varve-db/varve/internal/jsonpack"
)

// line returns a line of JSON that is written to standard output when it is flushed.
func (a *app) line() *jsonpack.Line { return jsonpack.NewLine(bufio.NewWriter(a.out)) }

// writeJSON writes any value as one line of JSON.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// printJSON prints any value as one line of JSON.
func (a *app) printJSON(v any) error { return writeJSON(a.out, v) }
