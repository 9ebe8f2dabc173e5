package jsonpack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// maxDepth is how deeply values may be nested, as for encoding/json.
const maxDepth = 10000

// valueKind is the kind of a value in msgpack or JSON.
type valueKind uint8

const (
	nullValue valueKind = iota
	boolValue
	intValue   // negative
	uintValue  // not negative
	floatValue // all others
	stringValue
	arrayValue
	objectValue
	otherValue // that JSON does not have, or in another form than Pack makes
)

// number is a number of JSON, as it is packed.
type number struct {
	kind valueKind // intValue, uintValue or floatValue
	bits uint64
}

// parseNumber keeps a number exactly or refuses it. One without fraction and
// exponent is an integer, if it fits 64 bits. Any other is a float64, if the
// decimal that stands for that float64 is the one that was written: 0.1 is, and
// 0.10000000000000000001 is not.
func parseNumber(b []byte) (number, error) {
	if n, ok := parseSmall(b); ok {
		return n, nil
	}
	text := string(b)
	if !strings.ContainsAny(text, ".eE") && text != "-0" {
		if i, err := strconv.ParseInt(text, 10, 64); err == nil && i < 0 {
			return number{intValue, uint64(i)}, nil
		}
		if u, err := strconv.ParseUint(text, 10, 64); err == nil {
			return number{uintValue, u}, nil
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !sameDecimal(text, strconv.FormatFloat(f, 'e', -1, 64)) {
		return number{}, errors.New("number " + Shorten(text) + " fits neither a 64-bit integer nor a float64 exactly")
	}
	return number{floatValue, math.Float64bits(f)}, nil
}

// parseSmall parses an integer of at most 18 digits without a sign.
func parseSmall(b []byte) (n number, ok bool) {
	if len(b) == 0 || len(b) > 18 {
		return n, false
	}
	v := uint64(0)
	for _, c := range b {
		if c < '0' || c > '9' {
			return n, false
		}
		v = 10*v + uint64(c-'0')
	}
	return number{uintValue, v}, true
}

// append appends the number as msgpack, in its shortest form.
func (n number) append(b []byte) []byte {
	v := n.bits
	switch {
	case n.kind == floatValue:
		return binary.BigEndian.AppendUint64(append(b, msgpcode.Double), v)
	case n.kind == uintValue && v <= uint64(msgpcode.PosFixedNumHigh), n.kind == intValue && int64(v) >= -32:
		return append(b, byte(v))
	}
	codes := [4]byte{msgpcode.Uint8, msgpcode.Uint16, msgpcode.Uint32, msgpcode.Uint64}
	magnitude := v // bits that count beside the sign
	if n.kind == intValue {
		codes = [4]byte{msgpcode.Int8, msgpcode.Int16, msgpcode.Int32, msgpcode.Int64}
		magnitude = ^v << 1
	}
	switch {
	case magnitude <= math.MaxUint8:
		return append(b, codes[0], byte(v))
	case magnitude <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, codes[1]), uint16(v))
	case magnitude <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, codes[2]), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(b, codes[3]), v)
}

// Shorten cuts a long text for a message.
func Shorten(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}

// appendFloat writes a float64 that is finite so that it is read back as one.
func appendFloat(b []byte, f float64) []byte {
	from := len(b)
	b = strconv.AppendFloat(b, f, 'g', -1, 64)
	if !bytes.ContainsAny(b[from:], ".e") {
		b = append(b, ".0"...)
	}
	return b
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
