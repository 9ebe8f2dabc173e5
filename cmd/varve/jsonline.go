package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"io"
	"strconv"
	"unicode/utf8"
)

// line writes one JSON object on one line, its fields in the order in which they are
// added. Its writer remembers the errors; flush returns them.
type line struct {
	w *bufio.Writer
	n int // fields so far
}

// line returns one that is written to standard output when it is flushed.
func (a *app) line() *line { return &line{w: bufio.NewWriter(a.out)} }

func (l *line) name(n string) {
	sep := byte(',')
	if l.n == 0 {
		sep = '{'
	}
	l.n++
	_ = l.w.WriteByte(sep)
	writeJSONString(l.w, []byte(n))
	_ = l.w.WriteByte(':')
}

// packed adds a field whose value is msgpack that JSON says exactly.
func (l *line) packed(name string, v []byte) {
	l.name(name)
	writePacked(l.w, v)
}

// bytes adds bytes: as a string if they are UTF-8, else as base64 under the
// name with _b64.
func (l *line) bytes(name string, v []byte) {
	if !utf8.Valid(v) {
		l.base64(name, v)
		return
	}
	l.name(name)
	writeJSONString(l.w, v)
}

// base64 adds bytes as base64 under the name with _b64.
func (l *line) base64(name string, v []byte) {
	l.name(name + "_b64")
	_ = l.w.WriteByte('"')
	e := base64.NewEncoder(base64.StdEncoding, l.w)
	_, _ = e.Write(v)
	_ = e.Close()
	_ = l.w.WriteByte('"')
}

func (l *line) str(name, v string) { l.bytes(name, []byte(v)) }

func (l *line) int(name string, v int64) {
	l.name(name)
	_, _ = l.w.Write(strconv.AppendInt(l.w.AvailableBuffer(), v, 10))
}

func (l *line) bool(name string, v bool) {
	l.name(name)
	_, _ = l.w.Write(strconv.AppendBool(l.w.AvailableBuffer(), v))
}

// end ends the line, and begins the next one.
func (l *line) end() {
	if l.n == 0 {
		_ = l.w.WriteByte('{')
	}
	l.n = 0
	_, _ = l.w.WriteString("}\n")
}

// flush ends the line, and returns what went wrong with this one and those before.
func (l *line) flush() error {
	l.end()
	return l.w.Flush()
}

// writeJSONString writes a string of valid UTF-8 as JSON, and leaves <, > and & as they
// are. w remembers its errors.
func writeJSONString(w *bufio.Writer, s []byte) {
	_ = w.WriteByte('"')
	from := 0
	for i, c := range s {
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		_, _ = w.Write(s[from:i])
		from = i + 1
		switch c {
		case '"', '\\':
			_, _ = w.Write([]byte{'\\', c})
		case '\n':
			_, _ = w.WriteString(`\n`)
		case '\t':
			_, _ = w.WriteString(`\t`)
		case '\r':
			_, _ = w.WriteString(`\r`)
		default:
			const hex = "0123456789abcdef"
			_, _ = w.Write([]byte{'\\', 'u', '0', '0', hex[c>>4], hex[c&15]})
		}
	}
	_, _ = w.Write(s[from:])
	_ = w.WriteByte('"')
}

// writeJSON writes any value as one line of JSON.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// printJSON prints any value as one line of JSON.
func (a *app) printJSON(v any) error { return writeJSON(a.out, v) }
