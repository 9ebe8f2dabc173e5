package main

import (
	"encoding/json"
	"errors"
	"io"
	"iter"
)

// jsonValue is one value of a stream, well formed but not looked into.
type jsonValue struct {
	raw  []byte // good until the next step
	line int    // on which it begins, from 1
}

// lineOf returns the line of an offset in the value.
func (v *jsonValue) lineOf(offset int) int {
	n := v.line
	for _, c := range v.raw[:offset] {
		if c == '\n' {
			n++
		}
	}
	return n
}

// jsonValues iterates over the JSON values of a stream: one a line, or with any
// white space between and in them. An error is the last thing yielded.
func jsonValues(r io.Reader) iter.Seq2[jsonValue, error] {
	return func(yield func(jsonValue, error) bool) {
		lines := &lineCounter{r: r}
		d := json.NewDecoder(lines)
		var raw json.RawMessage
		for {
			err := d.Decode(&raw)
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(jsonValue{}, lines.explain(err))
				return
			}
			v := jsonValue{raw: raw, line: lines.at(d.InputOffset() - int64(len(raw)))}
			if !yield(v, nil) {
				return
			}
		}
	}
}

// lineCounter remembers where the lines ended that went through it.
type lineCounter struct {
	r      io.Reader
	offset int64   // of the next byte
	ends   []int64 // offsets of line ends not passed by at
	passed int     // line ends before that
	err    error   // of r
}

func (c *lineCounter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	for i, b := range p[:n] {
		if b == '\n' {
			c.ends = append(c.ends, c.offset+int64(i))
		}
	}
	c.offset += int64(n)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

// at returns the line of an offset, which is not less than that of the call before.
func (c *lineCounter) at(offset int64) int {
	n := 0
	for n < len(c.ends) && c.ends[n] < offset {
		n++
	}
	c.passed += n
	c.ends = append(c.ends[:0], c.ends[n:]...)
	return c.passed + 1
}

// explain turns an error of the decoder into one that names the line.
func (c *lineCounter) explain(err error) error {
	if c.err != nil {
		return c.err
	}
	if s, ok := errors.AsType[*json.SyntaxError](err); ok {
		return lineError(c.at(s.Offset-1), err)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the input ends within a value")
	}
	return lineError(c.at(c.offset-1), err)
}

// lineError is what is wrong with a line of the input.
func lineError(line int, err error) error {
	return usagef("line %d: %w", line, err)
}

// refused is lineError for something that stands within a value.
func (v *jsonValue) refused(err error) error {
	if p, ok := errors.AsType[*parseError](err); ok {
		return lineError(v.lineOf(p.offset), err)
	}
	return lineError(v.line, err)
}
