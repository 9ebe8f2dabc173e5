package quote

import (
	"bufio"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Show writes bytes on a line: as they are if that says what they are, else
// as a quoted Go string. The flag --quoted takes both back.
func Show(b []byte) string {
	s := string(b)
	if Plain(b) {
		return s
	}
	return strconv.Quote(s)
}

// Write is Show for what may be large. w remembers its errors.
func Write(w *bufio.Writer, b []byte) {
	if Plain(b) {
		_, _ = w.Write(b)
		return
	}
	_ = w.WriteByte('"')
	var q []byte
	for len(b) > 0 {
		n := min(len(b), 1024)
		for n > 1024-utf8.UTFMax && n < len(b) && !utf8.RuneStart(b[n]) {
			n-- // no piece ends in the middle of a character
		}
		q = strconv.AppendQuote(q[:0], string(b[:n]))
		_, _ = w.Write(q[1 : len(q)-1])
		b = b[n:]
	}
	_ = w.WriteByte('"')
}

// Shell writes printable text as a shell takes it for one word.
func Shell(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-./:@%+,", r)
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Plain reports whether bytes are what they look like when they are printed.
func Plain(b []byte) bool {
	if len(b) == 0 || b[0] == '"' || !utf8.Valid(b) {
		return false
	}
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if !unicode.IsPrint(r) {
			return false
		}
		i += n
	}
	return true
}
