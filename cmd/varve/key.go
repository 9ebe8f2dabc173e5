package main

import (
	"bufio"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/varve-db/varve/segment"
)

// keyFlag says how keys are given as arguments.
type keyFlag struct{ quoted bool }

func (k *keyFlag) register(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&k.quoted, "quoted", "q", false, "keys may be quoted, as scan prints them")
}

// bytes returns the bytes that an argument stands for: its own, or with --quoted
// those of the Go string that it quotes, if it does.
func (k *keyFlag) bytes(arg string) ([]byte, error) {
	if !k.quoted || !strings.HasPrefix(arg, `"`) {
		return []byte(arg), nil
	}
	s, err := strconv.Unquote(arg)
	if err != nil {
		return nil, usagef("%s is no quoted string", arg)
	}
	return []byte(s), nil
}

// key is bytes for an argument that must be a key.
func (k *keyFlag) key(arg string) ([]byte, error) {
	key, err := k.bytes(arg)
	if err == nil && (len(key) == 0 || len(key) > segment.MaxKey) {
		err = usagef("a key of %d bytes: it must have 1 to %d", len(key), segment.MaxKey)
	}
	return key, err
}

// show writes bytes on a line: as they are if that says what they are, else
// as a quoted Go string. keyFlag.bytes takes both back.
func show(b []byte) string {
	s := string(b)
	if plain(b) {
		return s
	}
	return strconv.Quote(s)
}

// writeShown is show for what may be large. w remembers its errors.
func writeShown(w *bufio.Writer, b []byte) {
	if plain(b) {
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

// shellWord writes printable text as a shell takes it for one word.
func shellWord(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-./:@%+,", r)
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// plain reports whether bytes are what they look like when they are printed.
func plain(b []byte) bool {
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
