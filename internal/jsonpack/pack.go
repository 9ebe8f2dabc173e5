package jsonpack

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"

	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// Pack encodes the value as msgpack, in the canonical form. The bytes are the caller's.
func (t *Value) Pack() []byte { return t.pack(0, t.root) }

// pack encodes the value that begins at an offset of the text.
func (t *Value) pack(off, block uint32) []byte {
	most := t.size
	if block != 0 { // of a part: no byte of text makes more than three
		most = min(most, 3*int(t.blocks[block]-off))
	}
	e := encoder{t: t, b: make([]byte, 0, most)}
	e.value(off, block)
	return e.b
}

// encoder is what pack works with.
type encoder struct {
	t *Value
	b []byte
}

// value encodes the value at an offset, and returns where its text ends.
func (e *encoder) value(off, block uint32) uint32 {
	raw := e.t.raw
	switch c := raw[off]; c {
	case '{':
		return e.object(block)
	case '[':
		return e.array(off, block)
	case '"':
		return e.str(off)
	case 't':
		e.b = append(e.b, msgpcode.True)
		return off + 4
	case 'f':
		e.b = append(e.b, msgpcode.False)
		return off + 5
	case 'n':
		e.b = append(e.b, msgpcode.Nil)
		return off + 4
	}
	end := off
	for int(end) < len(raw) && strings.IndexByte("+-.0123456789Ee", raw[end]) >= 0 {
		end++
	}
	n, _ := parseNumber(raw[off:end]) // it was parsed before
	e.b = n.append(e.b)
	return end
}

func (e *encoder) str(off uint32) uint32 {
	s, end := e.t.textAt(off)
	codes := [4]byte{msgpcode.FixedStrLow, msgpcode.Str8, msgpcode.Str16, msgpcode.Str32}
	if bytes.IndexByte(s, '\\') < 0 {
		e.b = append(appendHead(e.b, uint64(len(s)), 31, math.MaxUint8, codes), s...)
		return end
	}
	e.b = unescape(appendHead(e.b, uint64(unescapedLen(s)), 31, math.MaxUint8, codes), s)
	return end
}

func (e *encoder) object(block uint32) uint32 {
	end, n := e.t.blocks[block], e.t.blocks[block+1]
	e.b = appendHead(e.b, uint64(n), 15, -1, [4]byte{msgpcode.FixedMapLow, 0, msgpcode.Map16, msgpcode.Map32})
	for name, value := range e.t.membersAt(block) {
		e.str(name)
		e.value(value.off, value.block)
	}
	return end
}

func (e *encoder) array(off, block uint32) uint32 {
	end, n := e.t.blocks[block], e.t.blocks[block+1]
	e.b = appendHead(e.b, uint64(n), 15, -1, [4]byte{msgpcode.FixedArrayLow, 0, msgpcode.Array16, msgpcode.Array32})
	inner := e.t.blocks[block+2:]
	off++
	for range n {
		off = e.t.past(off, ',')
		b := uint32(0)
		if c := e.t.raw[off]; c == '{' || c == '[' {
			b, inner = inner[0], inner[1:]
		}
		off = e.value(off, b)
	}
	return end
}

// headSize returns how many bytes stand before the content of a string, array or object of n:
// one up to tiny, and two up to small, if there is such a form.
func headSize(n uint64, tiny, small int64) int {
	switch {
	case int64(n) <= tiny:
		return 1
	case int64(n) <= small:
		return 2
	case n <= math.MaxUint16:
		return 3
	}
	return 5
}

// appendHead appends the head of a string, array or object.
func appendHead(b []byte, n uint64, tiny, small int64, codes [4]byte) []byte {
	switch headSize(n, tiny, small) {
	case 1:
		return append(b, codes[0]|byte(n))
	case 2:
		return append(b, codes[1], byte(n))
	case 3:
		return binary.BigEndian.AppendUint16(append(b, codes[2]), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, codes[3]), uint32(n))
}
