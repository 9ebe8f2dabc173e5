package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// node is a JSON value with nothing lost: numbers are the text they were written as.
type node struct {
	kind    nodeKind
	text    string // of a string, decoded; of a number, as written
	truth   bool
	items   []node   // of an array
	members []member // of an object, by name
}

type member struct {
	name   string
	value  node
	offset int // where the name stands, for errors
}

type nodeKind uint8

const (
	nullNode nodeKind = iota
	boolNode
	numberNode
	stringNode
	arrayNode
	objectNode
)

// member returns the value of a field, or nil.
func (n *node) member(name string) *node {
	i, ok := slices.BinarySearchFunc(n.members, name, func(m member, s string) int { return strings.Compare(m.name, s) })
	if !ok {
		return nil
	}
	return &n.members[i].value
}

// parseError says what JSON holds that msgpack could not hold exactly.
type parseError struct {
	offset int
	reason string
}

func (e *parseError) Error() string { return e.reason }

// parseJSON parses one JSON value, which encoding/json has found to be well
// formed. It refuses what that lets pass although it is ambiguous or lost: names that
// stand twice in an object, strings that are no UTF-8, halves of surrogate pairs.
func parseJSON(raw []byte) (n node, err error) {
	p := parser{raw: raw}
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(*parseError)
			if !ok {
				panic(r)
			}
			err = e
		}
	}()
	return p.value(), nil
}

// parser walks over well-formed JSON. What it refuses it throws as a *parseError.
type parser struct {
	raw []byte
	at  int
}

func (p *parser) refuse(offset int, format string, args ...any) {
	panic(&parseError{offset, fmt.Sprintf(format, args...)})
}

// next skips white space and returns the byte that follows.
func (p *parser) next() byte {
	for p.raw[p.at] == ' ' || p.raw[p.at] == '\t' || p.raw[p.at] == '\n' || p.raw[p.at] == '\r' {
		p.at++
	}
	return p.raw[p.at]
}

func (p *parser) value() node {
	switch p.next() {
	case '{':
		return p.object()
	case '[':
		return p.array()
	case '"':
		return node{kind: stringNode, text: p.str()}
	case 't':
		p.at += len("true")
		return node{kind: boolNode, truth: true}
	case 'f':
		p.at += len("false")
		return node{kind: boolNode}
	case 'n':
		p.at += len("null")
		return node{kind: nullNode}
	}
	from := p.at
	for p.at < len(p.raw) && strings.IndexByte("+-.0123456789Ee", p.raw[p.at]) >= 0 {
		p.at++
	}
	return node{kind: numberNode, text: string(p.raw[from:p.at])}
}

func (p *parser) array() node {
	n := node{kind: arrayNode}
	p.at++
	for p.next() != ']' {
		if p.raw[p.at] == ',' {
			p.at++
		}
		n.items = append(n.items, p.value())
	}
	p.at++
	return n
}

func (p *parser) object() node {
	n := node{kind: objectNode}
	p.at++
	for p.next() != '}' {
		if p.raw[p.at] == ',' {
			p.at++
			p.next()
		}
		m := member{offset: p.at, name: p.str()}
		p.next()
		p.at++ // the colon
		m.value = p.value()
		n.members = append(n.members, m)
	}
	p.at++
	slices.SortStableFunc(n.members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	for i := 1; i < len(n.members); i++ {
		if n.members[i].name == n.members[i-1].name {
			p.refuse(n.members[i].offset, "field %q stands twice in an object", n.members[i].name)
		}
	}
	return n
}

// str decodes a string.
func (p *parser) str() string {
	from, escaped := p.at, false
	for p.at++; p.raw[p.at] != '"'; p.at++ {
		if p.raw[p.at] == '\\' {
			escaped = true
			p.at++
		}
	}
	p.at++
	raw := p.raw[from:p.at]
	if !utf8.Valid(raw) {
		p.refuse(from, "a string that is no UTF-8")
	}
	if !escaped {
		return string(raw[1 : len(raw)-1])
	}
	if err := surrogates(raw); err != nil {
		p.refuse(from, "%v", err)
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		p.refuse(from, "%v", err)
	}
	return s
}

// surrogates looks for \u escapes that are half of a character: encoding/json
// would put another character in their place.
func surrogates(raw []byte) error {
	high := false // the escape just before was the first half of a pair
	for i := 0; i < len(raw); i++ {
		kind := byte(0)
		if raw[i] == '\\' {
			if i++; raw[i] == 'u' {
				kind = half(raw[i+1 : i+5])
				i += 4
			}
		}
		if high != (kind == 'l') {
			return errors.New("a \\u escape that is half of a surrogate pair")
		}
		high = kind == 'h'
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
