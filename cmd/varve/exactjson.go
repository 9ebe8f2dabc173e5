package main

import (
	"bytes"
	"errors"
	"strconv"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// errNotJSON says that JSON has no word for something.
var errNotJSON = errors.New("JSON cannot say this")

// exactJSON writes msgpack as JSON, if load would make the very same bytes of it:
// then it reports true, and returns the parsed JSON too.
func exactJSON(packed []byte) (text []byte, n node, ok bool) {
	if len(packed) == 0 {
		return nil, n, false
	}
	r := bytes.NewReader(packed)
	text, err := appendPacked(nil, msgpack.NewDecoder(r), 0)
	if err != nil || r.Len() > 0 {
		return nil, n, false
	}
	if n, err = parseJSON(text); err != nil {
		return nil, n, false
	}
	again, err := canonical(&n)
	return text, n, err == nil && bytes.Equal(again, packed)
}

// maxDepth is how deeply msgpack may be nested to be printed as JSON; it is what
// encoding/json takes.
const maxDepth = 10000

// appendPacked writes the next msgpack value as JSON. It asks for no memory that
// the input does not pay for: strings are read piece by piece, and the lengths of
// maps and arrays only counted down.
func appendPacked(b []byte, d *msgpack.Decoder, depth int) ([]byte, error) {
	c, err := d.PeekCode()
	if err != nil {
		return b, err
	}
	switch {
	case depth > maxDepth:
		return b, errNotJSON
	case c == msgpcode.Nil:
		return append(b, "null"...), d.DecodeNil()
	case c == msgpcode.True || c == msgpcode.False:
		v, err := d.DecodeBool()
		return strconv.AppendBool(b, v), err
	case c == msgpcode.Double:
		v, err := d.DecodeFloat64()
		b, ok := appendFloat(b, v)
		if err == nil && !ok {
			err = errNotJSON
		}
		return b, err
	case msgpcode.IsFixedNum(c) || c >= msgpcode.Int8 && c <= msgpcode.Int64:
		v, err := d.DecodeInt64()
		return strconv.AppendInt(b, v, 10), err
	case c >= msgpcode.Uint8 && c <= msgpcode.Uint64:
		v, err := d.DecodeUint64()
		return strconv.AppendUint(b, v, 10), err
	case msgpcode.IsString(c):
		return appendPackedString(b, d)
	case msgpcode.IsFixedArray(c) || c == msgpcode.Array16 || c == msgpcode.Array32:
		return appendPackedArray(b, d, depth)
	case msgpcode.IsFixedMap(c) || c == msgpcode.Map16 || c == msgpcode.Map32:
		return appendPackedMap(b, d, depth)
	}
	return b, errNotJSON
}

func appendPackedString(b []byte, d *msgpack.Decoder) ([]byte, error) {
	c, err := d.PeekCode()
	if err != nil {
		return b, err
	}
	if !msgpcode.IsString(c) {
		return b, errNotJSON
	}
	s, err := d.DecodeString()
	if err != nil {
		return b, err
	}
	if !utf8.ValidString(s) {
		return b, errNotJSON
	}
	return appendJSONString(b, s), nil
}

func appendPackedArray(b []byte, d *msgpack.Decoder, depth int) ([]byte, error) {
	n, err := d.DecodeArrayLen()
	if err != nil {
		return b, err
	}
	b = append(b, '[')
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendPacked(b, d, depth+1); err != nil {
			return b, err
		}
	}
	return append(b, ']'), nil
}

func appendPackedMap(b []byte, d *msgpack.Decoder, depth int) ([]byte, error) {
	n, err := d.DecodeMapLen()
	if err != nil {
		return b, err
	}
	b = append(b, '{')
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendPackedString(b, d); err != nil {
			return b, err
		}
		b = append(b, ':')
		if b, err = appendPacked(b, d, depth+1); err != nil {
			return b, err
		}
	}
	return append(b, '}'), nil
}
