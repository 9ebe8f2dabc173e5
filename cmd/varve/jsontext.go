package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/varve-db/varve/store"
)

// jsonText is one JSON value: its text, and where in it the containers stand. The text of a
// number or string is nowhere copied, and takes nothing beside the text.
type jsonText struct {
	raw  []byte
	line int // on which it begins, from 1

	// blocks has one for each array and object, the inner ones first. Of an array: where its
	// text ends, the count of items, and the block of each that is a container. Of an
	// object: where its text ends, the count of members, and for each, in bytewise order of the
	// names, where its name stands and its block, 0 if it is no container.
	blocks []uint32
	root   uint32 // the block of the value
	size   int    // bytes of the value as msgpack
}

// parseError says what JSON holds that msgpack could not hold exactly.
type parseError struct {
	offset int
	reason string
}

func (e *parseError) Error() string { return e.reason }

// refused is the error of a line for something that stands within the value.
func (t *jsonText) refused(err error) error {
	at := t.line
	if p, ok := errors.AsType[*parseError](err); ok {
		at += bytes.Count(t.raw[:min(p.offset, len(t.raw))], []byte("\n"))
	}
	return lineError(at, err)
}

// value reads the next value to its end. What it refuses it throws as an error.
func (p *jsonReader) value(depth int) (block uint32) {
	switch c := p.space(); c {
	case '{', '[':
		if depth >= maxDepth {
			p.refuse(len(p.t.raw), "values within values, more than %d deep", maxDepth)
		}
		if c == '{' {
			return p.object(depth)
		}
		return p.array(depth)
	case '"':
		p.str()
	case 't':
		p.literal("true")
	case 'f':
		p.literal("false")
	case 'n':
		p.literal("null")
	default:
		p.number(c)
	}
	return 0
}

func (p *jsonReader) literal(word string) {
	for i := range len(word) {
		if p.peek() != word[i] {
			p.invalid("in literal " + word)
		}
		p.take()
	}
	p.t.size++
}

// array reads an array, whose bracket is next.
func (p *jsonReader) array(depth int) uint32 {
	p.take()
	n, base := uint32(0), len(p.open)
	for c := p.space(); c != ']'; c = p.space() {
		if n > 0 {
			p.comma(c, ']', "array element")
		}
		n++
		if b := p.value(depth + 1); b != 0 {
			p.open = append(p.open, b)
		}
	}
	p.take()
	return p.block(n, base)
}

// object reads an object, whose brace is next.
func (p *jsonReader) object(depth int) uint32 {
	p.take()
	n, base := uint32(0), len(p.open)
	for c := p.space(); c != '}'; c = p.space() {
		if n > 0 {
			p.comma(c, '}', "object key:value pair")
		}
		n++
		if p.space() != '"' {
			p.invalid("looking for beginning of object key string")
		}
		at := uint32(len(p.t.raw))
		p.str()
		if p.space() != ':' {
			p.invalid("after object key")
		}
		p.take()
		p.open = append(p.open, at, 0)
		i := len(p.open) - 1
		p.open[i] = p.value(depth + 1)
	}
	p.take()
	p.sort(p.open[base:])
	return p.block(n, base)
}

// comma goes past the comma after an item; something has to follow it.
func (p *jsonReader) comma(c, end byte, after string) {
	if c != ',' {
		p.invalid("after " + after)
	}
	p.take()
	if p.space() == end {
		p.invalid("looking for beginning of value")
	}
}

// block ends a container of n items, for which p.open has more from base on.
func (p *jsonReader) block(n uint32, base int) uint32 {
	t := &p.t
	at := len(t.blocks)
	t.blocks = append(append(t.blocks, uint32(len(t.raw)), n), p.open[base:]...)
	p.open = p.open[:base]
	t.size += headSize(uint64(n), 15, -1)
	if uint64(len(t.blocks)) > math.MaxUint32 {
		panic(fmt.Errorf("a value of too many parts: %w", store.ErrTooLarge))
	}
	return uint32(at)
}

// sort orders members by name, and refuses a name that stands twice.
func (p *jsonReader) sort(members []uint32) {
	less := func(a, b uint32) int { return bytes.Compare(p.t.name(a), p.t.name(b)) }
	n := len(members) / 2
	sorted := true
	for i := 1; i < n && sorted; i++ {
		sorted = less(members[2*i-2], members[2*i]) < 0
	}
	if sorted {
		return
	}
	pairs := make([][2]uint32, n)
	for i := range pairs {
		pairs[i] = [2]uint32{members[2*i], members[2*i+1]}
	}
	slices.SortStableFunc(pairs, func(a, b [2]uint32) int { return less(a[0], b[0]) })
	for i, m := range pairs {
		if i > 0 && less(pairs[i-1][0], m[0]) == 0 {
			p.refuse(int(m[0]), "field %q stands twice in an object", p.t.name(m[0]))
		}
		members[2*i], members[2*i+1] = m[0], m[1]
	}
}

// str reads a string, whose quote is next.
func (p *jsonReader) str() {
	t := &p.t
	from := len(t.raw)
	p.take()
	escaped := false
	for {
		p.run()
		switch c := p.peek(); {
		case c == '"':
			p.take()
			s := t.raw[from+1 : len(t.raw)-1]
			if !utf8.Valid(s) {
				p.refuse(from, "a string that is no UTF-8")
			}
			n := len(s)
			if escaped {
				if err := surrogates(s); err != nil {
					p.refuse(from, "%v", err)
				}
				n = unescapedLen(s)
			}
			t.size += n + headSize(uint64(n), 31, math.MaxUint8)
			return
		case c == '\\':
			escaped = true
			p.take()
			p.escape()
		default:
			p.invalid("in string literal")
		}
	}
}

// escape reads what stands after a backslash.
func (p *jsonReader) escape() {
	c := p.peek()
	if bytes.IndexByte([]byte(`"\/bfnrtu`), c) < 0 {
		p.invalid("in string escape code")
	}
	p.take()
	for i := 0; c == 'u' && i < 4; i++ {
		if !isHex(p.peek()) {
			p.invalid(`in \u hexadecimal character escape`)
		}
		p.take()
	}
}

// number reads a number that begins with c.
func (p *jsonReader) number(c byte) {
	from := len(p.t.raw)
	if c == '-' {
		p.take()
		c = p.peek()
	}
	switch {
	case c == '0':
		p.take()
	case c >= '1' && c <= '9':
		p.digits("in numeric literal")
	case from < len(p.t.raw):
		p.invalid("in numeric literal")
	default:
		p.invalid("looking for beginning of value")
	}
	if p.more() && p.peek() == '.' {
		p.take()
		p.digits("after decimal point in numeric literal")
	}
	if p.more() && p.peek()|0x20 == 'e' {
		p.take()
		if c := p.peek(); c == '+' || c == '-' {
			p.take()
		}
		p.digits("in exponent of numeric literal")
	}
	text := p.t.raw[from:]
	n, err := parseNumber(text)
	if err != nil {
		panic(&parseError{from, err.Error()})
	}
	p.t.size += len(n.append(p.small[:0]))
}

// digits reads at least one digit.
func (p *jsonReader) digits(where string) {
	for first := true; ; first = false {
		if !first && !p.more() {
			return
		}
		if c := p.peek(); c < '0' || c > '9' {
			if first {
				p.invalid(where)
			}
			return
		}
		p.take()
	}
}

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

// textAt returns the text of the string at an offset, without its quotes, and where it ends.
func (t *jsonText) textAt(off uint32) (s []byte, end uint32) {
	i := off + 1
	for t.raw[i] != '"' {
		if t.raw[i] == '\\' {
			i++
		}
		i++
	}
	return t.raw[off+1 : i], i + 1
}

// name returns the string at an offset: a part of the text if nothing in it is escaped.
func (t *jsonText) name(off uint32) []byte {
	s, _ := t.textAt(off)
	if bytes.IndexByte(s, '\\') < 0 {
		return s
	}
	return unescape(nil, s)
}

// place is where a value stands: its offset, and its block if it is a container.
type place struct{ off, block uint32 }

// membersAt iterates over the members of an object by name: where the name stands, and the
// value.
func (t *jsonText) membersAt(block uint32) iter.Seq2[uint32, place] {
	return func(yield func(uint32, place) bool) {
		n := t.blocks[block+1]
		list := t.blocks[block+2 : block+2+2*n]
		for i := uint32(0); i < 2*n; i += 2 {
			_, end := t.textAt(list[i])
			if !yield(list[i], place{t.past(end, ':'), list[i+1]}) {
				return
			}
		}
	}
}

// past returns where what follows an offset begins, beyond white space and a separator.
func (t *jsonText) past(off uint32, separator byte) uint32 {
	for isSpace(t.raw[off]) || t.raw[off] == separator {
		off++
	}
	return off
}

// member returns the value of a field of the object that the value is.
func (t *jsonText) member(name string) (place, bool) {
	for at, value := range t.membersAt(t.root) {
		if string(t.name(at)) == name {
			return value, true
		}
	}
	return place{}, false
}

// isObject reports whether the value is an object.
func (t *jsonText) isObject() bool { return t.raw[0] == '{' }

// text returns the string that a value is.
func (t *jsonText) text(v place) ([]byte, bool) {
	if t.raw[v.off] != '"' {
		return nil, false
	}
	return t.name(v.off), true
}

// asKey returns the key that a field's value stands for.
func (t *jsonText) asKey(v place) ([]byte, bool) {
	if s, ok := t.text(v); ok {
		return bytes.Clone(s), len(s) > 0
	}
	if c := t.raw[v.off]; c != '-' && (c < '0' || c > '9') {
		return nil, false
	}
	e := encoder{t: t}
	e.value(v.off, 0)
	return packedKey(e.b)
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
