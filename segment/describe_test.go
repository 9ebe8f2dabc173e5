package segment

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func describe(t testing.TB, b []byte) string {
	t.Helper()
	var w strings.Builder
	if err := Describe(&w, bytes.NewReader(b), int64(len(b))); err != nil {
		t.Fatal(err)
	}
	return w.String()
}

// tiles proves that the items of b cover it without gap or overlap, and can be
// written as JSON.
func tiles(t testing.TB, b []byte) {
	t.Helper()
	var at int64
	for x, err := range Dump(bytes.NewReader(b), int64(len(b))) {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := json.Marshal(x); err != nil {
			t.Fatal(err)
		}
		if x.What == "block" {
			continue
		}
		if x.Offset != at || x.Size < 0 {
			t.Fatalf("%s at %d, %d bytes: want it at %d", x.What, x.Offset, x.Size, at)
		}
		at += x.Size
	}
	if at != int64(len(b)) {
		t.Fatalf("items up to %d of %d", at, len(b))
	}
}

func TestDumpCoversTheFileWhateverItsDamage(t *testing.T) {
	for name := range goldenFiles {
		b := golden(t, name)
		tiles(t, b)
		if len(b) > 2000 {
			continue
		}
		for i := range b {
			tiles(t, b[:i:i])
			b[i] ^= 0x11
			tiles(t, b)
			b[i] ^= 0x11
		}
	}
}

func TestDumpStopsWhenItIsAskedTo(t *testing.T) {
	b := golden(t, "log.seg")
	for n := range 12 {
		seen := 0
		for range Dump(bytes.NewReader(b), int64(len(b))) {
			if seen++; seen > n {
				break
			}
		}
	}
}

func TestDescribeSaysWhatIsInside(t *testing.T) {
	for name, wants := range map[string][]string{
		"log.seg": {
			"log 0000000000abcdef/00000000000000000042 of store 01020300-", "parent 0000000000001234/00000000000000000041 up to sequence number 999",
			"live 0000000000001234/00000000000000000001–00000000000000000003 ", "retired ",
			`key "packed" (6 bytes), value of 4 bytes [commit meta slots expiry msgpack] head ok value ok`,
			"expires 2026-01-02T03:04:06Z", `slot 255 "z\x00"`, "adopt 0000000000abcdef/00000000000000000044",
			"successor 0000000000abcdef/00000000000000000043", "entries 5 in 1 blocks: puts 4 (188 bytes), deletes 1; batches 3; other records 4",
		},
		"closed.open": {"closed in the file with inode 123456, born 2026-01-02T03:04:05Z"},
		"torn.open":   {"! 31 bytes that are no record at 244: "},
	} {
		got := describe(t, golden(t, name))
		for _, want := range wants {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in\n%s", name, want, got)
			}
		}
		if strings.HasSuffix(name, ".seg") && strings.Contains(got, "!") {
			t.Errorf("%s: damage in\n%s", name, got)
		}
	}
	newer := asVersion(golden(t, "small.seg"), 3, Version)
	if got := describe(t, newer); !strings.Contains(got, "newer") {
		t.Errorf("a newer version: %s", got)
	}
}
