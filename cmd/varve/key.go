package main

import (
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
	if plain(s) {
		return s
	}
	return strconv.Quote(s)
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

func plain(s string) bool {
	if s == "" || s[0] == '"' || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
