package jsonpack

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// tree is a value with all its parts, as encoding/json and the msgpack library see it. The
// tests hold the code that makes no tree to it.
type jsonTree struct {
	scalar any // nil, bool, string, number
	items  []jsonTree
	names  []string
	kind   valueKind
}

// treeOfJSON makes canonical msgpack of JSON by way of a tree.
func treeOfJSON(raw []byte) ([]byte, error) {
	if !json.Valid(raw) {
		return nil, errors.New("not JSON")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	t, err := readTree(d)
	if err != nil {
		return nil, err
	}
	return canonicalTree(t)
}

func readTree(d *json.Decoder) (t jsonTree, err error) {
	tok, err := d.Token()
	if err != nil {
		return t, err
	}
	delim, ok := tok.(json.Delim)
	if !ok {
		if n, ok := tok.(json.Number); ok {
			tok, err = parseNumber([]byte(n))
		}
		return jsonTree{scalar: tok, kind: stringValue}, err
	}
	t.kind = arrayValue
	if delim == '{' {
		t.kind = objectValue
	}
	for d.More() {
		if t.kind == objectValue {
			name, err := d.Token()
			if err != nil {
				return t, err
			}
			t.names = append(t.names, name.(string))
		}
		item, err := readTree(d)
		if err != nil {
			return t, err
		}
		t.items = append(t.items, item)
	}
	_, err = d.Token()
	return t, err
}

// canonicalTree encodes a tree with the library.
func canonicalTree(t jsonTree) ([]byte, error) {
	var b bytes.Buffer
	e := msgpack.NewEncoder(&b)
	e.UseCompactInts(true)
	err := encodeTree(e, t)
	return b.Bytes(), err
}

func encodeTree(e *msgpack.Encoder, t jsonTree) error {
	switch t.kind {
	case arrayValue:
		err := e.EncodeArrayLen(len(t.items))
		for _, item := range t.items {
			err = errors.Join(err, encodeTree(e, item))
		}
		return err
	case objectValue:
		order := make([]int, len(t.names))
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(a, b int) int { return strings.Compare(t.names[a], t.names[b]) })
		err := e.EncodeMapLen(len(t.names))
		for i, at := range order {
			if i > 0 && t.names[at] == t.names[order[i-1]] {
				return errors.New("twice")
			}
			err = errors.Join(err, e.EncodeString(t.names[at]), encodeTree(e, t.items[at]))
		}
		return err
	}
	if n, ok := t.scalar.(number); ok {
		switch n.kind {
		case intValue:
			return e.EncodeInt(int64(n.bits))
		case uintValue:
			return e.EncodeUint(n.bits)
		}
		return e.EncodeFloat64(math.Float64frombits(n.bits))
	}
	return e.Encode(t.scalar)
}

// treeOfMsgpack reads msgpack with the library.
func treeOfMsgpack(packed []byte) (jsonTree, error) {
	r := bytes.NewReader(packed)
	t, err := decodeTree(msgpack.NewDecoder(r), 0)
	if err == nil && r.Len() > 0 {
		err = errors.New("more follows")
	}
	return t, err
}

func decodeTree(d *msgpack.Decoder, depth int) (t jsonTree, err error) {
	c, err := d.PeekCode()
	if err != nil {
		return t, err
	}
	t.kind = stringValue
	n := 0
	switch {
	case c == msgpcode.Nil:
		return t, d.DecodeNil()
	case c == msgpcode.True || c == msgpcode.False:
		t.scalar, err = d.DecodeBool()
		return t, err
	case c == msgpcode.Double:
		f, err := d.DecodeFloat64()
		if math.IsNaN(f) || math.IsInf(f, 0) {
			err = errors.New("no JSON")
		}
		t.scalar = number{floatValue, math.Float64bits(f)}
		return t, err
	case msgpcode.IsFixedNum(c) || c >= msgpcode.Int8 && c <= msgpcode.Int64:
		v, err := d.DecodeInt64()
		t.scalar, _ = parseNumber(strconv.AppendInt(nil, v, 10))
		return t, err
	case c >= msgpcode.Uint8 && c <= msgpcode.Uint64:
		v, err := d.DecodeUint64()
		t.scalar = number{uintValue, v}
		return t, err
	case msgpcode.IsString(c):
		s, err := d.DecodeString()
		if err == nil && !utf8.ValidString(s) {
			err = errors.New("no UTF-8")
		}
		t.scalar = s
		return t, err
	case msgpcode.IsFixedArray(c) || c == msgpcode.Array16 || c == msgpcode.Array32:
		t.kind = arrayValue
		n, err = d.DecodeArrayLen()
	case msgpcode.IsFixedMap(c) || c == msgpcode.Map16 || c == msgpcode.Map32:
		t.kind = objectValue
		n, err = d.DecodeMapLen()
	default:
		err = errors.New("no JSON")
	}
	if depth >= maxDepth {
		err = errors.New("too deep")
	}
	for i := 0; i < n && err == nil; i++ {
		if t.kind == objectValue {
			c, err := d.PeekCode()
			if err != nil {
				return t, err
			}
			if !msgpcode.IsString(c) {
				return t, errors.New("no JSON")
			}
			name, err := d.DecodeString()
			if err != nil || !utf8.ValidString(name) {
				return t, errors.Join(err, io.ErrUnexpectedEOF)
			}
			t.names = append(t.names, name)
		}
		var item jsonTree
		if item, err = decodeTree(d, depth+1); err == nil {
			t.items = append(t.items, item)
		}
	}
	return t, err
}
