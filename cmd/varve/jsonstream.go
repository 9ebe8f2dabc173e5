package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"runtime"
	"runtime/debug"

	"github.com/varve-db/varve/store"
)

// jsonReader reads JSON values from a stream, each into the same memory.
type jsonReader struct {
	r    *bufio.Reader
	line int  // of the next byte, from 1
	last byte // that was read
	t    jsonText
	open []uint32 // of containers that are not read to their ends: what their blocks will hold

	inArray bool // the values are the items of an array
	items   int  // of it, so far

	small [9]byte
}

// jsonValues iterates over the JSON values of a stream: one a line, or with any white space
// between and in them; of an array, over its items. A value is good until the next step or
// forget. An error is the last thing yielded.
func jsonValues(r io.Reader) iter.Seq2[*jsonReader, error] {
	return func(yield func(*jsonReader, error) bool) {
		p := &jsonReader{r: bufio.NewReaderSize(r, 64<<10), line: 1}
		for {
			more, err := p.step()
			if err != nil {
				yield(p, err)
				return
			}
			if !more || !yield(p, nil) {
				return
			}
		}
	}
}

// step reads the next value, if there is one more.
func (p *jsonReader) step() (more bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(error)
			if _, fault := r.(runtime.Error); !ok || fault {
				panic(r)
			}
			err = p.explain(e)
		}
	}()
	// No block is at 0, which stands for none.
	p.t.raw, p.t.blocks, p.open = p.t.raw[:0], append(p.t.blocks[:0], 0), p.open[:0]
	if !p.toNext() {
		return false, nil
	}
	p.t.line, p.t.size = p.line, 0
	p.t.root = p.value(0)
	return true, nil
}

// toNext goes to where the next value begins, into arrays and out of them.
func (p *jsonReader) toNext() bool {
	for {
		if !p.inArray {
			if !p.skip() {
				return false
			}
			if p.peek() != '[' {
				return true
			}
			p.inArray, p.items = true, 0
			_, _ = p.r.ReadByte()
		}
		p.mustSkip()
		if p.peek() != ']' {
			break
		}
		_, _ = p.r.ReadByte()
		p.inArray = false
	}
	if p.items > 0 {
		p.t.line = p.line
		if p.peek() != ',' {
			p.invalid("after array element")
		}
		_, _ = p.r.ReadByte()
		p.mustSkip()
	}
	p.items++
	return true
}

// explain turns what was thrown into the error of a line.
func (p *jsonReader) explain(err error) error {
	if e, ok := err.(*readError); ok {
		return e.err
	}
	if _, ok := err.(*parseError); ok {
		return p.t.refused(err)
	}
	line := p.line
	if err == errCutOff && p.last == '\n' {
		line-- // the line that the input ends with
	}
	return lineError(line, err)
}

// readError is an error of the stream itself.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }

// errCutOff says that the stream ends where it must not.
var errCutOff = errors.New("the input ends within a value")

func (p *jsonReader) refuse(offset int, format string, args ...any) {
	panic(&parseError{offset, fmt.Sprintf(format, args...)})
}

// invalid refuses the next byte.
func (p *jsonReader) invalid(where string) {
	p.refuse(len(p.t.raw), "invalid character %s %s", quoteByte(p.peek()), where)
}

func quoteByte(c byte) string {
	if c == '\'' {
		return `'\''`
	}
	return fmt.Sprintf("%q", rune(c))
}

// more reports whether there is another byte.
func (p *jsonReader) more() bool {
	_, err := p.r.Peek(1)
	if err != nil && err != io.EOF {
		panic(&readError{err})
	}
	return err == nil
}

// peek returns the next byte, which must be there.
func (p *jsonReader) peek() byte {
	b, err := p.r.Peek(1)
	if err == io.EOF {
		panic(errCutOff)
	}
	if err != nil {
		panic(&readError{err})
	}
	return b[0]
}

// take adds the next byte to the text.
func (p *jsonReader) take() {
	b, _ := p.r.Peek(1)
	p.add(b)
}

// add adds bytes that are next to the text.
func (p *jsonReader) add(b []byte) {
	p.room(len(b))
	p.t.raw = append(p.t.raw, b...)
	for _, c := range b {
		if c == '\n' {
			p.line++
		}
		p.last = c
	}
	_, _ = p.r.Discard(len(b))
}

// room grows the memory of the text by little where it is large.
func (p *jsonReader) room(n int) {
	raw := p.t.raw
	if len(raw)+n <= cap(raw) {
		return
	}
	if int64(len(raw)+n) > math.MaxUint32 {
		panic(fmt.Errorf("a value of more than %d bytes of text: %w", uint32(math.MaxUint32), store.ErrTooLarge))
	}
	size := 2 * cap(raw)
	if cap(raw) >= big {
		size = cap(raw) + cap(raw)/4
	}
	p.t.raw = append(make([]byte, 0, max(size, len(raw)+n, 4<<10)), raw...)
	giveBack(cap(p.t.raw))
}

// big is from how many bytes on memory is given back at once, instead of with the next
// collection, which waits until as much again is used.
const big = 32 << 20

// giveBack returns to the system what is free, after something of n bytes is done with.
func giveBack(n int) {
	if n >= big {
		debug.FreeOSMemory()
	}
}

// forget gives the memory of a large value back.
func (p *jsonReader) forget() {
	if n := cap(p.t.raw) + 4*cap(p.t.blocks); n >= big {
		p.t.raw, p.t.blocks, p.open = nil, nil, nil
		giveBack(n)
	}
}

// run adds what follows in a string up to a quote, a backslash or a byte that must not stand
// there.
func (p *jsonReader) run() {
	for {
		p.peek()
		b, _ := p.r.Peek(p.r.Buffered())
		n := 0
		for n < len(b) && b[n] >= 0x20 && b[n] != '"' && b[n] != '\\' {
			n++
		}
		p.add(b[:n])
		if n < len(b) {
			return
		}
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// space adds white space to the text, and returns the byte that follows.
func (p *jsonReader) space() byte {
	for {
		c := p.peek()
		if !isSpace(c) {
			return c
		}
		p.take()
	}
}

// skip goes past white space, and reports whether something follows.
func (p *jsonReader) skip() bool {
	for p.more() {
		c := p.peek()
		if !isSpace(c) {
			return true
		}
		if c == '\n' {
			p.line++
		}
		p.last = c
		_, _ = p.r.ReadByte()
	}
	return false
}

// mustSkip is skip where something has to follow.
func (p *jsonReader) mustSkip() {
	if !p.skip() {
		panic(errCutOff)
	}
}

// lineError is what is wrong with a line of the input.
func lineError(line int, err error) error {
	return usagef("line %d: %w", line, err)
}
