package jsonpack

import (
	"bufio"
	"encoding/binary"
	"iter"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// packed walks over msgpack, and allocates nothing.
type packed struct {
	b  []byte
	at int
}

// head is what stands before the content of a value.
type head struct {
	kind valueKind
	n    uint64 // the number, as its bits; bytes of a string; items of an array; members of an object
}

// next returns the head of the next value and goes past it. A head that is not in the form
// that Pack makes is otherValue.
func (p *packed) next() head {
	if p.at >= len(p.b) {
		return head{kind: otherValue}
	}
	c := p.b[p.at]
	p.at++
	switch {
	case c <= msgpcode.PosFixedNumHigh:
		return head{uintValue, uint64(c)}
	case c >= msgpcode.NegFixedNumLow:
		return head{intValue, uint64(int8(c))}
	case msgpcode.IsFixedString(c):
		return head{stringValue, uint64(c & msgpcode.FixedStrMask)}
	case msgpcode.IsFixedArray(c):
		return head{arrayValue, uint64(c & msgpcode.FixedArrayMask)}
	case msgpcode.IsFixedMap(c):
		return head{objectValue, uint64(c & msgpcode.FixedMapMask)}
	}
	switch c {
	case msgpcode.Nil:
		return head{nullValue, 0}
	case msgpcode.False:
		return head{boolValue, 0}
	case msgpcode.True:
		return head{boolValue, 1}
	case msgpcode.Double:
		return p.number(floatValue, 8, func(v uint64) bool { f := math.Float64frombits(v); return !math.IsNaN(f) && !math.IsInf(f, 0) })
	case msgpcode.Uint8:
		return p.number(uintValue, 1, func(v uint64) bool { return v > math.MaxInt8 })
	case msgpcode.Uint16:
		return p.number(uintValue, 2, func(v uint64) bool { return v > math.MaxUint8 })
	case msgpcode.Uint32:
		return p.number(uintValue, 4, func(v uint64) bool { return v > math.MaxUint16 })
	case msgpcode.Uint64:
		return p.number(uintValue, 8, func(v uint64) bool { return v > math.MaxUint32 })
	case msgpcode.Int8:
		return p.number(intValue, 1, func(v uint64) bool { return int64(v) < -32 })
	case msgpcode.Int16:
		return p.number(intValue, 2, func(v uint64) bool { return int64(v) < math.MinInt8 })
	case msgpcode.Int32:
		return p.number(intValue, 4, func(v uint64) bool { return int64(v) < math.MinInt16 })
	case msgpcode.Int64:
		return p.number(intValue, 8, func(v uint64) bool { return int64(v) < math.MinInt32 })
	case msgpcode.Str8:
		return p.number(stringValue, 1, func(v uint64) bool { return v > 31 })
	case msgpcode.Str16:
		return p.number(stringValue, 2, func(v uint64) bool { return v > math.MaxUint8 })
	case msgpcode.Str32:
		return p.number(stringValue, 4, func(v uint64) bool { return v > math.MaxUint16 })
	case msgpcode.Array16:
		return p.number(arrayValue, 2, func(v uint64) bool { return v > 15 })
	case msgpcode.Array32:
		return p.number(arrayValue, 4, func(v uint64) bool { return v > math.MaxUint16 })
	case msgpcode.Map16:
		return p.number(objectValue, 2, func(v uint64) bool { return v > 15 })
	case msgpcode.Map32:
		return p.number(objectValue, 4, func(v uint64) bool { return v > math.MaxUint16 })
	}
	return head{kind: otherValue}
}

// number reads a big-endian number, with its sign if it is an intValue, and makes sure
// that it is one for which this size is right.
func (p *packed) number(kind valueKind, size int, right func(uint64) bool) head {
	if len(p.b)-p.at < size {
		return head{kind: otherValue}
	}
	var b [8]byte
	copy(b[8-size:], p.b[p.at:p.at+size])
	p.at += size
	v := binary.BigEndian.Uint64(b[:])
	if kind == intValue {
		shift := 64 - 8*size
		v = uint64(int64(v<<shift) >> shift)
	}
	if !right(v) {
		kind = otherValue
	}
	return head{kind, v}
}

// str goes past the content of a string. It reports false if that is no UTF-8, or is cut off.
func (p *packed) str(h head) ([]byte, bool) {
	if h.kind != stringValue || h.n > uint64(len(p.b)-p.at) {
		return nil, false
	}
	s := p.b[p.at : p.at+int(h.n)]
	p.at += int(h.n)
	return s, utf8.Valid(s)
}

// exact reports whether a value has a JSON of which Pack makes the very same bytes, and goes
// past it.
func (p *packed) exact(depth int) bool {
	h := p.next()
	switch h.kind {
	case otherValue:
		return false
	case stringValue:
		_, ok := p.str(h)
		return ok
	case arrayValue, objectValue:
		if depth >= maxDepth {
			return false
		}
	}
	var last []byte
	for i := uint64(0); i < h.n && (h.kind == arrayValue || h.kind == objectValue); i++ {
		if h.kind == objectValue {
			name, ok := p.str(p.next())
			if !ok || i > 0 && string(name) <= string(last) {
				return false
			}
			last = name
		}
		if !p.exact(depth + 1) {
			return false
		}
	}
	return true
}

// Exact reports whether msgpack is one value that JSON says exactly: of the JSON that Write
// makes of it, Value.Pack makes the very same bytes.
func Exact(b []byte) bool {
	p := packed{b: b}
	return p.exact(0) && p.at == len(b)
}

// ExactObject reports whether msgpack is an object that JSON says exactly.
func ExactObject(b []byte) bool { return Exact(b) && (&packed{b: b}).next().kind == objectValue }

// Members iterates over the names and values of an object that is exact: see ExactObject.
// The slices are parts of b.
func Members(b []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		p := packed{b: b}
		for h := p.next(); h.n > 0; h.n-- {
			name, _ := p.str(p.next())
			from := p.at
			p.exact(0)
			if !yield(name, b[from:p.at]) {
				return
			}
		}
	}
}

// Key returns the key that a value stands for, which is a string that is not empty or an
// integer, and whether it does. A string is a part of value.
func Key(value []byte) ([]byte, bool) {
	p := packed{b: value}
	switch h := p.next(); h.kind {
	case stringValue:
		s, _ := p.str(h)
		return s, len(s) > 0
	case intValue:
		return strconv.AppendInt(nil, int64(h.n), 10), true
	case uintValue:
		return strconv.AppendUint(nil, h.n, 10), true
	}
	return nil, false
}

// Write writes a value that is exact as JSON: see Exact. w remembers its errors.
func Write(w *bufio.Writer, b []byte) { (&packed{b: b}).write(w) }

func (p *packed) write(w *bufio.Writer) {
	h := p.next()
	switch h.kind {
	case nullValue:
		_, _ = w.WriteString("null")
	case boolValue:
		_, _ = w.Write(strconv.AppendBool(w.AvailableBuffer(), h.n == 1))
	case intValue:
		_, _ = w.Write(strconv.AppendInt(w.AvailableBuffer(), int64(h.n), 10))
	case uintValue:
		_, _ = w.Write(strconv.AppendUint(w.AvailableBuffer(), h.n, 10))
	case floatValue:
		_, _ = w.Write(appendFloat(w.AvailableBuffer(), math.Float64frombits(h.n)))
	case stringValue:
		s, _ := p.str(h)
		writeString(w, s)
	case arrayValue, objectValue:
		p.writeItems(w, h)
	}
}

// writeItems writes what an array or object holds.
func (p *packed) writeItems(w *bufio.Writer, h head) {
	open, end := byte('['), byte(']')
	if h.kind == objectValue {
		open, end = '{', '}'
	}
	_ = w.WriteByte(open)
	for i := range h.n {
		if i > 0 {
			_ = w.WriteByte(',')
		}
		if h.kind == objectValue {
			name, _ := p.str(p.next())
			writeString(w, name)
			_ = w.WriteByte(':')
		}
		p.write(w)
	}
	_ = w.WriteByte(end)
}
