package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/varve-db/varve/store"
)

// TestNumbers holds load to what it says of numbers, and dump to saying them so that
// they are the same again.
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
	for p, err := range jsonValues(strings.NewReader(text)) {
		if err != nil {
			return nil, err
		}
		packed = p.t.canonical()
	}
	return packed, nil
}

// unpackJSON writes msgpack as JSON, if JSON says it exactly.
func unpackJSON(packed []byte) ([]byte, bool) {
	var b bytes.Buffer
	_, ok := exactJSON(packed)
	if ok {
		w := bufio.NewWriter(&b)
		writePacked(w, packed)
		w.Flush()
	}
	return b.Bytes(), ok
}

// FuzzLoad feeds any bytes to what load reads. What is taken must come out of dump so
// that load makes the same bytes of it.
func FuzzLoad(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,-2.5e3,null,true,"\ud83d\ude00"],"":{}}`, `{"a":1,"a":2}`, `"\ud800"`, "\"\xff\"", `[[[]]]`, ` {"b" : "\\" , "a" : "\"" } 7 `,
		`{"key_b64":"YQ==","value_b64":"","meta":{"m":1}}`, `1e400`, `-0`, "{\n\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for p, err := range jsonValues(bytes.NewReader(in)) {
			if err != nil {
				one := json.Valid(in) && utf8.Valid(in) && !bytes.Contains(bytes.ToLower(in), []byte(`\ud`)) && bytes.TrimSpace(in)[0] != '['
				if _, bad := treeOfJSON(in); one && bad == nil {
					t.Fatalf("%q is refused: %v", in, err)
				}
				return
			}
			v := &p.t
			if v.line < 1 || v.line > 1+bytes.Count(in, []byte("\n")) {
				t.Fatalf("line %d", v.line)
			}
			want, err := treeOfJSON(v.raw)
			packed := v.canonical()
			if err != nil || !bytes.Equal(packed, want) || len(packed) != v.size {
				t.Fatalf("%q was stored as %x, of %d bytes; want %x, %v", v.raw, packed, v.size, want, err)
			}
			text, ok := unpackJSON(packed)
			if !ok || !json.Valid(text) {
				t.Fatalf("%q was stored as %x and cannot be dumped: %q", v.raw, packed, text)
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

// FuzzDump dumps any value and any meta; load must make the same object of the line.
func FuzzDump(f *testing.F) {
	f.Add([]byte("key"), []byte("\x81\xa1a\x01"), []byte("\x81\xa1m\x01"), true)
	f.Add([]byte("\xff"), []byte("\xdf\xff\xff\xff\xff"), []byte("\xc0"), true)
	f.Add([]byte("a"), []byte("\x81\xa2id\xa1a"), []byte{}, true)
	f.Add([]byte("a"), []byte("\x82\xa2id\xa1a\xa7key_b64\xa0"), []byte{}, true)
	f.Add([]byte("7"), []byte("\x81\xa2id\x07"), []byte{}, true)
	f.Fuzz(func(t *testing.T, key, value, meta []byte, packed bool) {
		if len(key) == 0 {
			return
		}
		o := store.Object{Key: key, Value: value}
		if len(meta) > 0 {
			o.Meta = meta
		}
		if packed {
			o.Content = store.Msgpack
		}
		var b bytes.Buffer
		out := bufio.NewWriter(&b)
		l := &line{w: out}
		d := dumper{}
		ld := loader{}
		if d.asIs(out, &o) {
			ld.field = d.fields[0]
			if !plain([]byte(ld.field)) {
				t.Fatalf("--key %q cannot be typed", ld.field)
			}
		} else {
			wrap(l, &o)
		}
		out.Flush()
		text := bytes.Clone(b.Bytes())
		for p, err := range jsonValues(bytes.NewReader(text)) {
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			got, err := ld.object(&p.t)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if !bytes.Equal(got.Key, o.Key) || !bytes.Equal(got.Value, o.Value) || !bytes.Equal(got.Meta, o.Meta) || got.Content != o.Content {
				t.Fatalf("%+v came back as %+v by %s", o, got, text)
			}
		}
		b.Reset()
		objectLine(l, &o)
		if out.Flush(); !json.Valid(b.Bytes()) {
			t.Fatalf("--json prints %s", b.Bytes())
		}
	})
}

// FuzzKey shows any bytes on a line, and takes them back.
func FuzzKey(f *testing.F) {
	for _, s := range []string{"plain", "\x00", "\"", "", "\xff", "ünï", "a\nb", " ", "\u2028", "\u0301"} {
		f.Add([]byte(s))
	}
	k := keyFlag{quoted: true}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := show(b)
		back, err := k.bytes(s)
		if err != nil || !bytes.Equal(back, b) || strings.ContainsAny(s, "\n\r") {
			t.Fatalf("%q is shown as %s and taken for %q, %v", b, s, back, err)
		}
	})
}

// FuzzAttrs reads any meta as that of a file; what it takes it must write the same.
func FuzzAttrs(f *testing.F) {
	for _, a := range []attrs{{mode: 0o644, mtime: 1}, {mode: fs.ModeDir | 0o755 | fs.ModeSticky, mtime: -1}, {mode: fs.ModeSymlink | 0o777, link: "\xff"}} {
		meta, err := a.encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(meta)
	}
	f.Fuzz(func(t *testing.T, meta []byte) {
		a, ok := parseAttrs(meta)
		if !ok {
			return
		}
		if again, err := a.encode(); err != nil || !bytes.Equal(again, meta) {
			t.Fatalf("%x is %+v, which is %x, %v", meta, a, again, err)
		}
	})
}

func TestModesSurvive(t *testing.T) {
	for m := range fs.FileMode(0o1000) {
		for _, bits := range []fs.FileMode{0, fs.ModeDir, fs.ModeSymlink, fs.ModeSetuid, fs.ModeSetgid | fs.ModeDir, fs.ModeSticky | fs.ModeDir} {
			if got := fileMode(unixMode(m | bits)); got != m|bits {
				t.Fatalf("%v became %v", m|bits, got)
			}
		}
	}
}

func TestSizes(t *testing.T) {
	for in, want := range map[string]string{
		"67108864": "64MiB", "64MiB": "64MiB", "8MB": "8000000", "4096": "4KiB", "5000": "5000", "4GiB": "4GiB",
		"64M": "64MiB", "64m": "64MiB", "64K": "64KiB", "4G": "4GiB", "1.5GiB": "1536MiB", "1.5G": "1536MiB", "0.5M": "512KiB", "64 MiB": "64MiB", "1.5MB": "1500000",
		"2gib": "2GiB", "8mb": "8000000", "8192B": "8KiB", "5000.5": "", "1.5B": "", "1.M": "", ".5M": "", "1.5.5M": "", "1.-5M": "", "+64M": "", "1_0M": "", "1e3K": "", "64MM": "", "64iB": "", "K": "", "64KM": "",
		"": "", "x": "", "-1": "", "5GiB": "", "4095": "", "99999999999999999999": "", "MiB": "", "9223372036854775807GiB": "",
	} {
		var s size
		if err := s.Set(in); (err == nil) != (want != "") || err == nil && s.String() != want {
			t.Errorf("%q: %v, %v", in, s.String(), err)
		}
	}
}

func TestErrorsAreOneLine(t *testing.T) {
	err := errors.Join(errors.New("a\n\tb"), errors.New("c"))
	if got := oneLine(err); got != "a; b; c" {
		t.Errorf("%q", got)
	}
	if !slices.Equal([]int{exitCode(store.ErrLocked), exitCode(store.ErrLostLog), exitCode(errors.New("x"))}, []int{4, 3, 5}) {
		t.Error("exit codes")
	}
}
