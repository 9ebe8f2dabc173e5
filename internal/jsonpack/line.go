package jsonpack

import (
	"bufio"
	"encoding/base64"
	"strconv"
	"unicode/utf8"
)

// Line writes one JSON object on one line, its fields in the order in which they are
// added. Its writer remembers the errors; Flush returns them.
type Line struct {
	w *bufio.Writer
	n int // fields so far
}

// NewLine returns a Line that is written to w.
func NewLine(w *bufio.Writer) *Line { return &Line{w: w} }

func (l *Line) name(n string) {
	sep := byte(',')
	if l.n == 0 {
		sep = '{'
	}
	l.n++
	_ = l.w.WriteByte(sep)
	writeString(l.w, []byte(n))
	_ = l.w.WriteByte(':')
}

// Packed adds a field whose value is msgpack that JSON says exactly.
func (l *Line) Packed(name string, v []byte) {
	l.name(name)
	Write(l.w, v)
}

// Bytes adds bytes: as a string if they are UTF-8, else as base64 under the
// name with _b64.
func (l *Line) Bytes(name string, v []byte) {
	if !utf8.Valid(v) {
		l.Base64(name, v)
		return
	}
	l.name(name)
	writeString(l.w, v)
}

// Base64 adds bytes as base64 under the name with _b64.
func (l *Line) Base64(name string, v []byte) {
	l.name(name + "_b64")
	_ = l.w.WriteByte('"')
	e := base64.NewEncoder(base64.StdEncoding, l.w)
	_, _ = e.Write(v)
	_ = e.Close()
	_ = l.w.WriteByte('"')
}

// Text adds a string.
func (l *Line) Text(name, v string) { l.Bytes(name, []byte(v)) }

// Int adds an integer.
func (l *Line) Int(name string, v int64) {
	l.name(name)
	_, _ = l.w.Write(strconv.AppendInt(l.w.AvailableBuffer(), v, 10))
}

// Bool adds true or false.
func (l *Line) Bool(name string, v bool) {
	l.name(name)
	_, _ = l.w.Write(strconv.AppendBool(l.w.AvailableBuffer(), v))
}

// Meta adds meta, if there is any: as JSON if it is a map that JSON says exactly.
func (l *Line) Meta(meta []byte) {
	switch {
	case len(meta) == 0:
	case ExactObject(meta):
		l.Packed("meta", meta)
	default:
		l.Base64("meta", meta)
	}
}

// End ends the line, and begins the next one.
func (l *Line) End() {
	if l.n == 0 {
		_ = l.w.WriteByte('{')
	}
	l.n = 0
	_, _ = l.w.WriteString("}\n")
}

// Flush ends the line, and returns what went wrong with this one and those before.
func (l *Line) Flush() error {
	l.End()
	return l.w.Flush()
}

// writeString writes a string of valid UTF-8 as JSON, and leaves <, > and & as they
// are. w remembers its errors.
func writeString(w *bufio.Writer, s []byte) {
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
