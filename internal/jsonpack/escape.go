package jsonpack

import (
	"bytes"
	"errors"
	"strconv"
	"unicode/utf8"
)

// surrogates looks for \u escapes that are half of a character: no UTF-8 stands for them.
func surrogates(s []byte) error {
	high := false // the escape just before was the first half of a pair
	for i := 0; i < len(s); i++ {
		kind := byte(0)
		if s[i] == '\\' {
			if i++; s[i] == 'u' {
				kind = half(s[i+1 : i+5])
				i += 4
			}
		}
		if high != (kind == 'l') {
			return errors.New("a \\u escape that is half of a surrogate pair")
		}
		high = kind == 'h'
	}
	if high {
		return errors.New("a \\u escape that is half of a surrogate pair")
	}
	return nil
}

// half says whether four hex digits are the first ('h') or the second ('l') half
// of a pair.
func half(hex []byte) byte {
	switch d, c := hex[0]|0x20, hex[1]|0x20; {
	case d != 'd':
		return 0
	case c == '8' || c == '9' || c == 'a' || c == 'b':
		return 'h'
	case c >= 'c' && c <= 'f':
		return 'l'
	}
	return 0
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}

// unescapedLen returns how long the text of a string is once it is decoded.
func unescapedLen(s []byte) int {
	n := 0
	for len(s) > 0 {
		var size int
		_, size, s = unescapeOne(s)
		n += size
	}
	return n
}

// unescape decodes the text of a string, and appends it.
func unescape(b, s []byte) []byte {
	for len(s) > 0 {
		i := bytes.IndexByte(s, '\\')
		if i < 0 {
			return append(b, s...)
		}
		b, s = append(b, s[:i]...), s[i:]
		var c [4]byte
		var size int
		c, size, s = unescapeOne(s)
		b = append(b, c[:size]...)
	}
	return b
}

// unescapeOne decodes the next byte or escape of a string's text.
func unescapeOne(s []byte) (c [4]byte, size int, rest []byte) {
	if s[0] != '\\' {
		c[0] = s[0]
		return c, 1, s[1:]
	}
	switch s[1] {
	case 'b':
		c[0] = '\b'
	case 'f':
		c[0] = '\f'
	case 'n':
		c[0] = '\n'
	case 'r':
		c[0] = '\r'
	case 't':
		c[0] = '\t'
	case 'u':
		r := hex4(s[2:])
		s = s[6:]
		if r >= 0xd800 && r < 0xdc00 { // the other half follows
			r = 0x10000 + (r-0xd800)<<10 + hex4(s[2:]) - 0xdc00
			s = s[6:]
		}
		return c, utf8.EncodeRune(c[:], r), s
	default:
		c[0] = s[1]
	}
	return c, 1, s[2:]
}

func hex4(s []byte) rune {
	v, _ := strconv.ParseUint(string(s[:4]), 16, 16)
	return rune(v)
}
