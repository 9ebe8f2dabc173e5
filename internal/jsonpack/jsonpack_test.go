package jsonpack

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// TestNumbers holds Pack to what the package says of numbers, and Write to saying them so
// that they are the same again.
func TestNumbers(t *testing.T) {
	for _, c := range []struct{ in, out string }{
		{"0", "0"}, {"-1", "-1"}, {"127", "127"}, {"128", "128"}, {"-129", "-129"},
		{"9223372036854775808", "9223372036854775808"},
		{"18446744073709551615", "18446744073709551615"},
		{"18446744073709551616", ""},
		{"-9223372036854775808", "-9223372036854775808"},
		{"-9223372036854775809", ""},
		{"10000000000000000000000", "1e+22"},
		{"1.0", "1.0"}, {"-0", "-0.0"}, {"0.0", "0.0"}, {"0e5", "0.0"}, {"1E2", "100.0"}, {"1e+2", "100.0"},
		{"0.1", "0.1"}, {"0.10", "0.1"}, {"0.1000000000000000055511151231257827", ""},
		{"1e308", "1e+308"}, {"1e309", ""}, {"5e-324", "5e-324"}, {"1e-325", ""}, {"4e-324", ""},
		{"0e999999999999999999999", "0.0"}, {"1e99999999999999999999", ""}, {"1e-99999999999999999999", ""},
		{"9007199254740993.0", ""}, {"9007199254740993", "9007199254740993"}, {"9007199254740992.0", "9.007199254740992e+15"},
		{"123456789012345678", "123456789012345678"}, {"1.7976931348623157e308", "1.7976931348623157e+308"},
	} {
		packed, err := packJSON(c.in)
		if err != nil {
			if c.out != "" {
				t.Errorf("%s: refused: %v", c.in, err)
			}
			continue
		}
		if got, ok := unpackJSON(packed); string(got) != c.out || !ok {
			t.Errorf("%s: came back as %q, %v; want %q", c.in, got, ok, c.out)
		}
	}
}

// packJSON makes msgpack of the last value of a text.
func packJSON(text string) (packed []byte, err error) {
	for v, err := range Values(strings.NewReader(text)) {
		if err != nil {
			return nil, err
		}
		packed = v.Pack()
	}
	return packed, nil
}

// unpackJSON writes msgpack as JSON, if JSON says it exactly.
func unpackJSON(packed []byte) ([]byte, bool) {
	var b bytes.Buffer
	ok := Exact(packed)
	if ok {
		w := bufio.NewWriter(&b)
		Write(w, packed)
		w.Flush()
	}
	return b.Bytes(), ok
}

// FuzzValues reads any bytes as JSON. What is taken must be written so that the same bytes
// are made of it.
func FuzzValues(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,-2.5e3,null,true,"\ud83d\ude00"],"":{}}`, `{"a":1,"a":2}`, `"\ud800"`, "\"\xff\"", `[[[]]]`, ` {"b" : "\\" , "a" : "\"" } 7 `,
		`{"key_b64":"YQ==","value_b64":"","meta":{"m":1}}`, `1e400`, `-0`, "{\n\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for v, err := range Values(bytes.NewReader(in)) {
			if err != nil {
				one := json.Valid(in) && utf8.Valid(in) && !bytes.Contains(bytes.ToLower(in), []byte(`\ud`)) && bytes.TrimSpace(in)[0] != '['
				if _, bad := treeOfJSON(in); one && bad == nil {
					t.Fatalf("%q is refused: %v", in, err)
				}
				return
			}
			if v.line < 1 || v.line > 1+bytes.Count(in, []byte("\n")) {
				t.Fatalf("line %d", v.line)
			}
			want, err := treeOfJSON(v.raw)
			packed := v.Pack()
			if err != nil || !bytes.Equal(packed, want) || len(packed) != v.size {
				t.Fatalf("%q was stored as %x, of %d bytes; want %x, %v", v.raw, packed, v.size, want, err)
			}
			text, ok := unpackJSON(packed)
			if !ok || !json.Valid(text) {
				t.Fatalf("%q was stored as %x and cannot be written: %q", v.raw, packed, text)
			}
		}
	})
}

// FuzzExact holds what is printed as JSON to what another decoder and encoder make of it.
func FuzzExact(f *testing.F) {
	for _, s := range []string{"\x81\xa1a\x01", "\xcc\x80", "\xcc\x7f", "\xd0\xdf", "\xd0\xe0", "\xdc\x00\x01\xc0", "\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", "\x82\xa1b\x01\xa1a\x01", "\xd9\x01a", "\xc4\x01a"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		text, ok := unpackJSON(packed)
		tree, err := treeOfMsgpack(packed)
		var again []byte
		if err == nil {
			again, err = canonicalTree(tree)
		}
		if want := err == nil && bytes.Equal(again, packed); ok != want {
			t.Fatalf("%x: exact %v, want %v (%v): %s", packed, ok, want, err, text)
		}
		if !ok {
			return
		}
		if back, err := packJSON("[" + string(text) + "]"); err != nil || !bytes.Equal(back, packed) {
			t.Fatalf("%x is %s, which is %x: %v", packed, text, back, err)
		}
	})
}

// TestCutOffAnywhere cuts a stream at each byte, by its end and by an error of reading: the
// error says which, and what came whole before is yielded.
func TestCutOffAnywhere(t *testing.T) {
	const text = "{\"a\":[1,-2.5e3,null,true,false,\"\\ud83d\\ude00x\"],\"b\":{\"c\":\"d\"}}\n[7, {\"z\":0}]\n"
	broken := errors.New("the disk fails")
	for n := range len(text) {
		for _, end := range []error{nil, broken} {
			r := io.Reader(strings.NewReader(text[:n]))
			if end != nil {
				r = io.MultiReader(r, iotest.ErrReader(end))
			}
			values := 0
			var last error
			for v, err := range Values(iotest.OneByteReader(r)) {
				if last = err; err == nil {
					values++
					v.Pack()
				}
			}
			line, isLine := errors.AsType[*LineError](last)
			switch {
			case end != nil && !errors.Is(last, broken) || end == nil && last != nil && (!isLine || line.Line != 1 && line.Line != 2):
				t.Errorf("cut at %d, with %v: %v", n, end, last)
			case n >= strings.Index(text, "[7, {") && values < 1:
				t.Errorf("cut at %d: %d values", n, values)
			case end == nil && last == nil && n > 0 && n != strings.Index(text, "\n") && n != strings.Index(text, "[7") && n != len(text)-1: // whole
				t.Errorf("cut at %d: no error", n)
			}
		}
	}
}
