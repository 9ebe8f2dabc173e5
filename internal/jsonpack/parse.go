package jsonpack

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/varve-db/varve/segment"
)

// value reads the next value to its end. What it refuses sticks as the error.
func (p *reader) value(depth int) (block uint32) {
	switch c := p.space(); c {
	case '{', '[':
		if depth >= maxDepth {
			p.refuse(len(p.t.raw), "values within values, more than %d deep", maxDepth)
			return 0
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

func (p *reader) literal(word string) {
	for i := range len(word) {
		if p.peek() != word[i] {
			p.invalid("in literal " + word)
			return
		}
		p.take()
	}
	p.t.size++
}

// array reads an array, whose bracket is next.
func (p *reader) array(depth int) uint32 {
	p.take()
	n, base := uint32(0), len(p.t.open)
	for c := p.space(); c != ']' && p.err == nil; c = p.space() {
		if n > 0 {
			p.comma(c, ']', "array element")
		}
		n++
		if b := p.value(depth + 1); b != 0 {
			p.t.open = append(p.t.open, b)
		}
	}
	p.take()
	return p.block(n, base)
}

// object reads an object, whose brace is next.
func (p *reader) object(depth int) uint32 {
	p.take()
	n, base := uint32(0), len(p.t.open)
	for c := p.space(); c != '}' && p.err == nil; c = p.space() {
		if n > 0 {
			p.comma(c, '}', "object key:value pair")
		}
		n++
		if p.space() != '"' {
			p.invalid("looking for beginning of object key string")
			break
		}
		at := uint32(len(p.t.raw))
		p.str()
		if p.space() != ':' {
			p.invalid("after object key")
			break
		}
		p.take()
		p.t.open = append(p.t.open, at, 0)
		i := len(p.t.open) - 1
		p.t.open[i] = p.value(depth + 1)
	}
	p.take()
	if p.err == nil { // else a name may have no end
		p.sort(p.t.open[base:])
	}
	return p.block(n, base)
}

// comma goes past the comma after an item; something has to follow it.
func (p *reader) comma(c, end byte, after string) {
	if c != ',' {
		p.invalid("after " + after)
		return
	}
	p.take()
	if p.space() == end {
		p.invalid("looking for beginning of value")
	}
}

// block ends a container of n items, for which p.t.open has more from base on.
func (p *reader) block(n uint32, base int) uint32 {
	t := &p.t
	at := len(t.blocks)
	t.blocks = append(append(t.blocks, uint32(len(t.raw)), n), p.t.open[base:]...)
	p.t.open = p.t.open[:base]
	t.size += headSize(uint64(n), 15, -1)
	if uint64(len(t.blocks)) > math.MaxUint32 {
		p.fail(fmt.Errorf("a value of too many parts: %w", segment.ErrTooLarge))
	}
	return uint32(at)
}

// sort orders members by name, and refuses a name that stands twice.
func (p *reader) sort(members []uint32) {
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
			return
		}
		members[2*i], members[2*i+1] = m[0], m[1]
	}
}

// str reads a string, whose quote is next.
func (p *reader) str() {
	t := &p.t
	from := len(t.raw)
	p.take()
	escaped := false
	for {
		p.run()
		switch c := p.peek(); {
		case c == '"':
			p.take()
			if p.err != nil { // the text is too long
				return
			}
			s := t.raw[from+1 : len(t.raw)-1]
			if !utf8.Valid(s) {
				p.refuse(from, "a string that is no UTF-8")
				return
			}
			n := len(s)
			if escaped {
				if err := surrogates(s); err != nil {
					p.refuse(from, "%v", err)
					return
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
			return
		}
	}
}

// escape reads what stands after a backslash.
func (p *reader) escape() {
	c := p.peek()
	if bytes.IndexByte([]byte(`"\/bfnrtu`), c) < 0 {
		p.invalid("in string escape code")
		return
	}
	p.take()
	for i := 0; c == 'u' && i < 4; i++ {
		if !isHex(p.peek()) {
			p.invalid(`in \u hexadecimal character escape`)
			return
		}
		p.take()
	}
}

// number reads a number that begins with c.
func (p *reader) number(c byte) {
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
	if p.err != nil {
		return
	}
	n, err := parseNumber(p.t.raw[from:])
	if err != nil {
		p.fail(&parseError{from, err.Error()})
		return
	}
	p.t.size += len(n.append(p.small[:0]))
}

// digits reads at least one digit.
func (p *reader) digits(where string) {
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
