package main

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"strconv"
	"unicode/utf8"
)

// line builds one JSON object on one line, its fields in the order in which
// they are added.
type line struct{ b []byte }

func (l *line) name(n string) {
	sep := byte(',')
	if len(l.b) == 0 {
		sep = '{'
	}
	l.b = append(l.b, sep)
	l.b = append(appendJSONString(l.b, n), ':')
}

// raw adds a field whose value is JSON already.
func (l *line) raw(name string, v []byte) {
	l.name(name)
	l.b = append(l.b, v...)
}

// bytes adds bytes: as a string if they are UTF-8, else as base64 under the
// name with _b64.
func (l *line) bytes(name string, v []byte) {
	if !utf8.Valid(v) {
		l.base64(name, v)
		return
	}
	l.name(name)
	l.b = appendJSONString(l.b, string(v))
}

// base64 adds bytes as base64 under the name with _b64.
func (l *line) base64(name string, v []byte) {
	l.name(name + "_b64")
	l.b = append(l.b, '"')
	l.b = base64.StdEncoding.AppendEncode(l.b, v)
	l.b = append(l.b, '"')
}

func (l *line) str(name, v string) { l.bytes(name, []byte(v)) }

func (l *line) int(name string, v int64) {
	l.name(name)
	l.b = strconv.AppendInt(l.b, v, 10)
}

func (l *line) bool(name string, v bool) {
	l.name(name)
	l.b = strconv.AppendBool(l.b, v)
}

// end returns the line, and begins the next one in the same memory.
func (l *line) end() []byte {
	if len(l.b) == 0 {
		l.b = append(l.b, '{')
	}
	b := append(l.b, '}', '\n')
	l.b = b[:0]
	return b
}

// appendJSONString writes a string of valid UTF-8 as JSON, and leaves <, > and
// & as they are.
func appendJSONString(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\t':
			b = append(b, '\\', 't')
		case '\r':
			b = append(b, '\\', 'r')
		default:
			const hex = "0123456789abcdef"
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(b, s[from:]...), '"')
}

// writeJSON writes any value as one line of JSON.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// printJSON prints any value as one line of JSON.
func (a *app) printJSON(v any) error { return writeJSON(a.out, v) }
