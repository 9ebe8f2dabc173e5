package integrity

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the matrix of docs/integrity.md anew")

const (
	matrixFile  = "../docs/integrity.md"
	matrixBegin = "<!-- matrix:begin, written by go test ./integrity -run Matrix -update -->\n"
	matrixEnd   = "<!-- matrix:end -->\n"
)

// says is a report in a few words: the kinds of its findings, or its first note.
func says(r *Report) string {
	var kinds []string
	for _, f := range r.Findings {
		if !slices.Contains(kinds, string(f.Kind)) {
			kinds = append(kinds, string(f.Kind))
		}
	}
	slices.Sort(kinds)
	switch {
	case len(kinds) > 0:
		return strings.Join(kinds, ", ")
	case len(r.Notes) > 0:
		return "*note*"
	}
	return "–"
}

// TestMatrix checks the store at each level after each injury, and compares with the
// table in docs/integrity.md. Full must find each that changed a byte that counts, and
// call none of the others damage.
func TestMatrix(t *testing.T) {
	var b strings.Builder
	b.WriteString(matrixBegin)
	b.WriteString("| injury | `none` | `tail` | `log` | `full` |\n|---|---|---|---|---|\n")
	names := map[string]bool{}
	n := 0
	for _, x := range injuries() {
		if names[x.name] {
			t.Fatalf("two injuries are called %q", x.name)
		}
		names[x.name] = true
		fmt.Fprintf(&b, "| %s |", x.name)
		for _, level := range []Level{None, Tail, Log, Full} {
			p := newSick(t, x.crashed)
			x.hurt(p)
			before := p.fs.Clone()
			r, err := Check(t.Context(), p.view(), CheckOptions{Level: level})
			if err != nil {
				t.Fatalf("%s, level %v: %v", x.name, level, err)
			}
			for _, name := range before.Names() {
				if !bytes.Equal(before.Bytes(name), p.fs.Bytes(name)) {
					t.Errorf("%s: check changed %s", x.name, name)
				}
			}
			for _, f := range r.Findings {
				if f.Reason == "" || f.Next == "" || f.File == "" {
					t.Errorf("%s, level %v: an incomplete finding: %+v", x.name, level, f)
				}
			}
			if level == Full && (len(r.Findings) == 0) != (x.harmless || x.undecidable) {
				t.Errorf("%s: full finds %+v", x.name, r.Findings)
			}
			fmt.Fprintf(&b, " %s |", says(r))
		}
		b.WriteString("\n")
		n++
	}
	b.WriteString(matrixEnd)
	if n < 60 {
		t.Errorf("%d injuries", n)
	}
	compareMatrix(t, b.String())
}

func compareMatrix(t *testing.T, got string) {
	t.Helper()
	doc, err := os.ReadFile(matrixFile)
	if err != nil {
		t.Fatal(err)
	}
	from, rest, ok1 := strings.Cut(string(doc), matrixBegin)
	_, to, ok2 := strings.Cut(rest, matrixEnd)
	if !ok1 || !ok2 {
		t.Fatalf("%s lacks the marks of the matrix", matrixFile)
	}
	whole := from + got + to
	if whole == string(doc) {
		return
	}
	if *update {
		if err := os.WriteFile(matrixFile, []byte(whole), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want := strings.Split(string(doc), "\n")
	for _, line := range strings.Split(got, "\n") {
		if line != "" && !slices.Contains(want, line) {
			t.Errorf("not in %s: %s", matrixFile, line)
		}
	}
	t.Errorf("%s is not what check says; if check is right: go test ./integrity -run Matrix -update", matrixFile)
}
