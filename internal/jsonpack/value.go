package jsonpack

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"runtime/debug"
)

// Value is one JSON value: its text, and where in it the containers stand. The text of a
// number or string is nowhere copied, and takes nothing beside the text.
type Value struct {
	raw  []byte
	line int // on which it begins, from 1

	// blocks has one for each array and object, the inner ones first. Of an array: where its
	// text ends, the count of items, and the block of each that is a container. Of an
	// object: where its text ends, the count of members, and for each, in bytewise order of the
	// names, where its name stands and its block, 0 if it is no container.
	blocks []uint32
	root   uint32 // the block of the value
	size   int    // bytes of the value as msgpack

	open []uint32 // while it is read: of containers that are not read to their ends, what their blocks will hold
}

// A LineError says what is wrong with a line of the input.
type LineError struct {
	Line int // from 1
	Err  error
}

// Error names the line.
func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns what is wrong.
func (e *LineError) Unwrap() error { return e.Err }

// Refused returns the *LineError for a value that the caller does not take: err says why.
func (t *Value) Refused(err error) error {
	at := t.line
	if p, ok := errors.AsType[*parseError](err); ok {
		at += bytes.Count(t.raw[:min(p.offset, len(t.raw))], []byte("\n"))
	}
	return &LineError{at, err}
}

// parseError says what JSON holds that msgpack could not hold exactly.
type parseError struct {
	offset int
	reason string
}

func (e *parseError) Error() string { return e.reason }

// big is from how many bytes on memory is given back at once, instead of with the next
// collection, which waits until as much again is used.
const big = 32 << 20

// GiveBack returns to the system what is free, after something of n bytes is done with, if
// that was large.
func GiveBack(n int) {
	if n >= big {
		debug.FreeOSMemory()
	}
}

// Forget gives the memory of a large value back, before the next one is read. The value is
// not good any more, but for Refused.
func (t *Value) Forget() {
	if n := cap(t.raw) + 4*cap(t.blocks); n >= big {
		t.raw, t.blocks, t.open = nil, nil, nil
		GiveBack(n)
	}
}

// textAt returns the text of the string at an offset, without its quotes, and where it ends.
func (t *Value) textAt(off uint32) (s []byte, end uint32) {
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
func (t *Value) name(off uint32) []byte {
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
func (t *Value) membersAt(block uint32) iter.Seq2[uint32, place] {
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
func (t *Value) past(off uint32, separator byte) uint32 {
	for isSpace(t.raw[off]) || t.raw[off] == separator {
		off++
	}
	return off
}

// Field is the value of a field of an object. It is good as long as its Value is.
type Field struct {
	t  *Value
	at place
}

// Fields iterates over the fields of the object that the value is, by name. A name is good until
// the next step.
func (t *Value) Fields() iter.Seq2[[]byte, Field] {
	return func(yield func([]byte, Field) bool) {
		for at, value := range t.membersAt(t.root) {
			if !yield(t.name(at), Field{t, value}) {
				return
			}
		}
	}
}

// Field returns the field of a name of the object that the value is.
func (t *Value) Field(name string) (Field, bool) {
	for n, f := range t.Fields() {
		if string(n) == name {
			return f, true
		}
	}
	return Field{}, false
}

// IsObject reports whether the value is an object.
func (t *Value) IsObject() bool { return t.raw[0] == '{' }

// first is the first byte of the field's text, which tells its kind.
func (f Field) first() byte { return f.t.raw[f.at.off] }

// text returns the string that a field is, perhaps as a part of the text.
func (f Field) text() ([]byte, bool) {
	if f.first() != '"' {
		return nil, false
	}
	return f.t.name(f.at.off), true
}

// Key returns the key that the field stands for, as the caller's own, and whether it does: see the
// function Key.
func (f Field) Key() ([]byte, bool) {
	if s, ok := f.text(); ok {
		return bytes.Clone(s), len(s) > 0
	}
	if c := f.first(); c != '-' && (c < '0' || c > '9') {
		return nil, false
	}
	e := encoder{t: f.t}
	e.value(f.at.off, 0)
	return Key(e.b)
}

// Pack encodes the field as Value.Pack does.
func (f Field) Pack() []byte { return f.t.pack(f.at.off, f.at.block) }
