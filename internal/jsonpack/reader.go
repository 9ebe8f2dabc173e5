package jsonpack

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"

	"github.com/varve-db/varve/segment"
)

// reader reads JSON values from a stream, each into the same memory. The first error sticks:
// from then on it reads nothing, and peek returns zero, which valid JSON never has. So each
// loop ends, and the caller looks at err in the end.
type reader struct {
	r    *bufio.Reader
	line int  // of the next byte, from 1
	last byte // that was read
	t    Value
	err  error

	inArray bool // the values are the items of an array
	items   int  // of it, so far

	small [9]byte
}

// Values iterates over the JSON values of a stream: one a line, or with any white space
// between and in them; of an array, over its items. A value is good until the next step or
// Forget. An error is the last thing yielded: a *LineError for what the stream holds, which
// wraps segment.ErrTooLarge for a value that is too large, or that of r.
func Values(r io.Reader) iter.Seq2[*Value, error] {
	return func(yield func(*Value, error) bool) {
		p := &reader{r: bufio.NewReaderSize(r, 64<<10), line: 1}
		for {
			more, err := p.step()
			if err != nil {
				yield(&p.t, err)
				return
			}
			if !more || !yield(&p.t, nil) {
				return
			}
		}
	}
}

// step reads the next value, if there is one more.
func (p *reader) step() (more bool, err error) {
	t := &p.t
	// No block is at 0, which stands for none.
	t.raw, t.blocks, t.open = t.raw[:0], append(t.blocks[:0], 0), t.open[:0]
	more = p.toNext()
	if more && p.err == nil {
		t.line, t.size = p.line, 0
		t.root = p.value(0)
	}
	if p.err != nil {
		return false, p.explain(p.err)
	}
	return more, nil
}

// toNext goes to where the next value begins, into arrays and out of them.
func (p *reader) toNext() bool {
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
		if !p.mustSkip() {
			return false
		}
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
			return false
		}
		_, _ = p.r.ReadByte()
		if !p.mustSkip() {
			return false
		}
	}
	p.items++
	return true
}

// explain makes the error that sticks the error of a line.
func (p *reader) explain(err error) error {
	if e, ok := err.(*readError); ok {
		return e.err
	}
	if _, ok := err.(*parseError); ok {
		return p.t.Refused(err)
	}
	line := p.line
	if err == errCutOff && p.last == '\n' {
		line-- // the line that the input ends with
	}
	return &LineError{line, err}
}

// readError is an error of the stream itself.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }

// errCutOff says that the stream ends where it must not.
var errCutOff = errors.New("the input ends within a value")

// fail makes err the error that sticks, unless one does.
func (p *reader) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

func (p *reader) refuse(offset int, format string, args ...any) {
	p.fail(&parseError{offset, fmt.Sprintf(format, args...)})
}

// invalid refuses the next byte.
func (p *reader) invalid(where string) {
	c := p.peek()
	p.refuse(len(p.t.raw), "invalid character %s %s", quoteByte(c), where)
}

func quoteByte(c byte) string {
	if c == '\'' {
		return `'\''`
	}
	return fmt.Sprintf("%q", rune(c))
}

// more reports whether there is another byte.
func (p *reader) more() bool {
	if p.err != nil {
		return false
	}
	_, err := p.r.Peek(1)
	if err != nil && err != io.EOF {
		p.fail(&readError{err})
	}
	return err == nil
}

// peek returns the next byte, which must be there; zero where an error sticks.
func (p *reader) peek() byte {
	if p.err != nil {
		return 0
	}
	b, err := p.r.Peek(1)
	if err == nil {
		return b[0]
	}
	if err == io.EOF {
		p.fail(errCutOff)
	} else {
		p.fail(&readError{err})
	}
	return 0
}

// take adds the next byte to the text.
func (p *reader) take() {
	if p.err == nil {
		b, _ := p.r.Peek(1)
		p.add(b)
	}
}

// add adds bytes that are next to the text.
func (p *reader) add(b []byte) {
	if !p.room(len(b)) {
		return
	}
	p.t.raw = append(p.t.raw, b...)
	for _, c := range b {
		if c == '\n' {
			p.line++
		}
		p.last = c
	}
	_, _ = p.r.Discard(len(b))
}

// room grows the memory of the text by little where it is large. It reports false for a text
// that is too long.
func (p *reader) room(n int) bool {
	raw := p.t.raw
	if len(raw)+n <= cap(raw) {
		return true
	}
	if int64(len(raw)+n) > math.MaxUint32 {
		p.fail(fmt.Errorf("a value of more than %d bytes of text: %w", uint32(math.MaxUint32), segment.ErrTooLarge))
		return false
	}
	size := 2 * cap(raw)
	if cap(raw) >= big {
		size = cap(raw) + cap(raw)/4
	}
	p.t.raw = append(make([]byte, 0, max(size, len(raw)+n, 4<<10)), raw...)
	GiveBack(cap(p.t.raw))
	return true
}

// run adds what follows in a string up to a quote, a backslash or a byte that must not stand
// there.
func (p *reader) run() {
	for {
		if p.peek(); p.err != nil {
			return
		}
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
func (p *reader) space() byte {
	for {
		c := p.peek()
		if !isSpace(c) {
			return c
		}
		p.take()
	}
}

// skip goes past white space, and reports whether something follows.
func (p *reader) skip() bool {
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
func (p *reader) mustSkip() bool {
	if !p.skip() {
		p.fail(errCutOff)
		return false
	}
	return true
}
