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

	"github.com/varve-db/varve/cmd/varve/internal/quote"
	"github.com/varve-db/varve/cmd/varve/internal/units"
	"github.com/varve-db/varve/internal/jsonpack"
	"github.com/varve-db/varve/store"
)

// packJSON makes msgpack of the last value of a text.
func packJSON(text string) (packed []byte, err error) {
	for v, err := range jsonpack.Values(strings.NewReader(text)) {
		if err != nil {
			return nil, err
		}
		packed = v.Pack()
	}
	return packed, nil
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
		l := jsonpack.NewLine(out)
		d := dumper{}
		ld := loader{}
		if d.asIs(out, &o) {
			ld.field = d.fields[0]
			if !quote.Plain([]byte(ld.field)) {
				t.Fatalf("--key %q cannot be typed", ld.field)
			}
		} else {
			l.Wrap(&o)
		}
		out.Flush()
		text := bytes.Clone(b.Bytes())
		for v, err := range jsonpack.Values(bytes.NewReader(text)) {
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			got, err := ld.object(v)
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
		s := quote.Show(b)
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
		var s units.SegmentSize
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
