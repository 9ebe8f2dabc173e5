package segment

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestGoDocShowsThePackageComment: a blank line between comment and package
// clause would hide it.
func TestGoDocShowsThePackageComment(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var commented []string
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.PackageClauseOnly)
		if err != nil {
			t.Fatal(err)
		}
		if f.Doc != nil {
			commented = append(commented, name)
			if !strings.HasPrefix(f.Doc.Text(), "Package segment ") {
				t.Errorf("%s: a comment on the package that does not begin with its name", name)
			}
		}
	}
	if fmt.Sprint(commented) != "[doc.go]" {
		t.Errorf("package comments in %v, want one in doc.go", commented)
	}
}

// block returns the fenced block of a language in docs/format.md.
func fenced(t *testing.T, doc, language string) string {
	t.Helper()
	_, rest, ok := strings.Cut(doc, "```"+language+"\n")
	b, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatalf("no %s block", language)
	}
	return b
}

func formatDoc(t *testing.T) string {
	t.Helper()
	doc, err := os.ReadFile("../docs/format.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(doc)
}

// printedSegment decodes the hexdump of docs/format.md.
func printedSegment(t *testing.T, doc string) []byte {
	t.Helper()
	var b []byte
	for line := range strings.Lines(fenced(t, doc, "hexdump")) {
		at, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if off, err := strconv.ParseInt(at, 16, 64); err != nil || int(off) != len(b) {
			t.Fatalf("line at %s, want %x", at, len(b))
		}
		digits, _, _ := strings.Cut(rest, "|")
		part, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, part...)
	}
	return b
}

func TestThePrintedSegmentIsASegment(t *testing.T) {
	doc := formatDoc(t)
	b := printedSegment(t, doc)
	if !bytes.Equal(b, golden(t, "small.seg")) {
		t.Fatal("the hexdump is not small.seg")
	}
	if want := describe(t, b); fenced(t, doc, "text") != want {
		t.Errorf("the text is not what Describe says:\n%s", want)
	}
	seed := fmt.Sprintf("`seed` is 0x%08x", testOpen(t, b).r.seed.crc)
	if !strings.Contains(doc, seed) {
		t.Errorf("the text lacks: %s", seed)
	}
	_, notes, _ := strings.Cut(doc, "| offset | bytes | |")
	seen := 0
	for line := range strings.Lines(notes) {
		f := strings.Split(line, "|")
		if len(f) < 4 || strings.Contains(f[1], "--") {
			continue
		}
		at, err := strconv.Atoi(strings.TrimSpace(f[1]))
		if err != nil {
			t.Fatal(err)
		}
		want, err := hex.DecodeString(strings.Trim(strings.ReplaceAll(f[2], " ", ""), "`"))
		if err != nil || !bytes.HasPrefix(b[at:], want) {
			t.Errorf("offset %d: the text says %x, the dump %x (%v)", at, want, b[at:at+len(want)], err)
		}
		seen++
	}
	if seen < 20 {
		t.Errorf("%d lines of the table were understood", seen)
	}
}

// TestTheSpecNamesTheConstants holds the numbers of the text to the code.
func TestTheSpecNamesTheConstants(t *testing.T) {
	doc := formatDoc(t)
	for _, want := range []string{
		"`" + headerMagic + "`", "`" + footerMagic + "`",
		fmt.Sprintf("The last %d bytes", trailerSize), fmt.Sprintf("| %d | 32 | SHA-256", digestAt),
		fmt.Sprintf("| %d | 20 × n | live runs", headerFixed), fmt.Sprintf("| header | %d | 8,388,608 |", headerFixed+crcSize),
		"| key | 1 | 65,535 |", "within 16,384 bytes", "| 0 | 4,194,304 |",
	} {
		if !strings.Contains(doc, want) {
			t.Errorf("docs/format.md lacks %q", want)
		}
	}
	if MaxKey != 65535 || MaxMeta != MaxKey || MaxSlots != MaxKey || MaxValue != 1<<30 || MaxHeader != 8388608 ||
		maxBlock != 16384 || maxRefs != 4194304 || MaxBatch != 1<<32-1 {
		t.Error("a limit differs from docs/format.md")
	}
}
