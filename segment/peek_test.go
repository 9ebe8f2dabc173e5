package segment

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"
)

func TestPeekIsTheHeaderWithoutItsSets(t *testing.T) {
	h := testHeader()
	b, _ := encode(h, testRecords())
	got, err := Peek(b[:PeekSize])
	if err != nil {
		t.Fatal(err)
	}
	if *got != h.Head {
		t.Errorf("peeked %+v, want %+v", got, h.Head)
	}
	for n := range PeekSize {
		if _, err := Peek(b[:n]); err == nil {
			t.Errorf("%d bytes are taken for a header", n)
		}
	}
	b[8] = Version + 1
	if _, err := Peek(b); !errors.Is(err, ErrVersion) {
		t.Errorf("a newer version: %v", err)
	}
}

func TestCheckFileProvesEveryByte(t *testing.T) {
	b, _ := encode(testHeader(), testRecords())
	sealed := testSeal(t, b)
	sum, err := testOpen(t, sealed).CheckFile()
	if want := sha256.Sum256(sealed); err != nil || sum != want {
		t.Fatalf("sum %x, %v, want %x", sum, err, want)
	}
	for i := range sealed {
		c := bytes.Clone(sealed)
		c[i] ^= 1
		r, err := NewReader(bytes.NewReader(c), int64(len(c)))
		if err != nil {
			continue
		}
		f, err := r.OpenFooter()
		if err != nil {
			continue
		}
		if _, err := f.CheckFile(); err == nil {
			t.Errorf("a flipped byte at %d is not found", i)
		}
	}
}
