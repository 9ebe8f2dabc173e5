package main

import (
	"bytes"
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/vmihailenco/msgpack/v5"
)

// canonical encodes a JSON value as msgpack, in the one form that load stores:
// names of fields in bytewise order at all depths, each integer in its shortest
// form, all other numbers as float64.
func canonical(n *node) ([]byte, error) {
	var b bytes.Buffer
	e := msgpack.NewEncoder(&b)
	e.UseCompactInts(true)
	if err := encode(e, n); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func encode(e *msgpack.Encoder, n *node) error {
	switch n.kind {
	case boolNode:
		return e.EncodeBool(n.truth)
	case numberNode:
		return encodeNumber(e, n.text)
	case stringNode:
		return e.EncodeString(n.text)
	case arrayNode:
		if err := e.EncodeArrayLen(len(n.items)); err != nil {
			return err
		}
		for i := range n.items {
			if err := encode(e, &n.items[i]); err != nil {
				return err
			}
		}
		return nil
	case objectNode:
		if err := e.EncodeMapLen(len(n.members)); err != nil {
			return err
		}
		for i := range n.members {
			if err := e.EncodeString(n.members[i].name); err != nil {
				return err
			}
			if err := encode(e, &n.members[i].value); err != nil {
				return err
			}
		}
		return nil
	}
	return e.EncodeNil()
}

// encodeNumber keeps a number exactly or refuses it. One without fraction and
// exponent is an integer, if it fits 64 bits. Any other is a float64, if the
// decimal that stands for that float64 is the one that was written: 0.1 is, and
// 0.10000000000000000001 is not.
func encodeNumber(e *msgpack.Encoder, text string) error {
	if !strings.ContainsAny(text, ".eE") && text != "-0" {
		if i, err := strconv.ParseInt(text, 10, 64); err == nil {
			return e.EncodeInt(i)
		}
		if u, err := strconv.ParseUint(text, 10, 64); err == nil {
			return e.EncodeUint(u)
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !sameDecimal(text, strconv.FormatFloat(f, 'e', -1, 64)) {
		return errors.New("number " + shorten(text) + " fits neither a 64-bit integer nor a float64 exactly")
	}
	return e.EncodeFloat64(f)
}

// shorten cuts a long text for a message.
func shorten(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}

// appendFloat writes a float64 so that it is read back as one.
func appendFloat(b []byte, f float64) ([]byte, bool) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return b, false
	}
	from := len(b)
	b = strconv.AppendFloat(b, f, 'g', -1, 64)
	if !bytes.ContainsAny(b[from:], ".e") {
		b = append(b, ".0"...)
	}
	return b, true
}

// sameDecimal reports whether two JSON numbers are the same decimal number.
func sameDecimal(a, b string) bool {
	na, da, ea := decimal(a)
	nb, db, eb := decimal(b)
	return na == nb && da == db && (da == "" || ea == eb)
}

// decimal takes a number apart: its sign, its digits without zeros around
// them, and the power of ten of the last digit.
func decimal(s string) (negative bool, digits string, exp int64) {
	s, negative = strings.CutPrefix(s, "-")
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		// Beyond int64 ParseInt gives its bound: such a number is 0 or infinite, and
		// differs from its float64 by its digits already.
		exp, _ = strconv.ParseInt(strings.TrimPrefix(s[i+1:], "+"), 10, 64)
		s = s[:i]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	exp -= int64(len(fraction))
	digits = strings.TrimLeft(whole+fraction, "0")
	n := len(digits)
	digits = strings.TrimRight(digits, "0")
	return negative, digits, exp + int64(n-len(digits))
}
