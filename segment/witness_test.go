package segment

import (
	"bytes"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"strings"
	"testing"
)

// goldenWitness is the witness that docs/format.md prints.
var goldenWitness = Witness{
	UUID: goldenUUID, Ref: Ref{0xa1b2c3d4e5f60718, 2}, Offset: 4031, LastSeq: 472, Time: goldenTime, Changed: goldenTime + 1000,
}

// TestPrintedWitness decodes the witness that docs/format.md prints.
func TestPrintedWitness(t *testing.T) {
	doc := formatDoc(t)
	if dump := hex.Dump(goldenWitness.Append(nil)); fenced(t, doc, "witness") != dump {
		t.Errorf("docs/format.md prints another witness; it is\n%s", dump)
	}
	for _, want := range []string{"Its first 4096 bytes", "88 bytes", "| 84 | 4 | `crc(0, bytes 0 to 83)` |"} {
		if !strings.Contains(doc, want) {
			t.Errorf("docs/format.md lacks %q", want)
		}
	}
	if WitnessOffset != 4096 || WitnessSize != 88 {
		t.Errorf("at %d, %d bytes", WitnessOffset, WitnessSize)
	}
}

// TestWitness: what is written is read again, and nothing else is a witness.
func TestWitness(t *testing.T) {
	b := goldenWitness.Append([]byte("before"))[6:]
	if w, err := ParseWitness(b); err != nil || *w != goldenWitness {
		t.Errorf("read again: %+v, %v", w, err)
	}
	for at := range b {
		for bit := range 8 {
			c := bytes.Clone(b)
			c[at] ^= 1 << bit
			if w, err := ParseWitness(c); err == nil || w != nil {
				t.Errorf("bit %d of byte %d changed: %+v", bit, at, w)
			}
		}
		if w, err := ParseWitness(b[:at]); err == nil || w != nil {
			t.Errorf("cut to %d: %+v", at, w)
		}
	}
	if w, err := ParseWitness(make([]byte, WitnessSize)); w != nil || err != nil {
		t.Errorf("zeros: %+v, %v", w, err)
	}
	summed := func(at int, v byte) []byte {
		c := bytes.Clone(b)
		c[at] ^= v
		le.PutUint32(c[WitnessSize-4:], crc32.Checksum(c[:WitnessSize-4], castagnoli))
		return c
	}
	if _, err := ParseWitness(summed(8, 3)); !errors.Is(err, ErrVersion) {
		t.Errorf("a later version: %v", err)
	}
	for what, at := range map[string]int{"magic": 0, "reserved bytes": 12, "the offset's sign": 55, "reserved bytes at the end": 82} {
		if w, err := ParseWitness(summed(at, 0x80)); err == nil || errors.Is(err, ErrVersion) {
			t.Errorf("other %s, with a sound checksum: %+v, %v", what, w, err)
		}
	}
}
