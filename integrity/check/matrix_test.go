package check_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/integrity/check"
	"github.com/varve-db/varve/integrity/internal/injured"
)

var update = flag.Bool("update", false, "write the matrix of docs/integrity.md anew")

const (
	matrixFile  = "../../docs/integrity.md"
	matrixBegin = "<!-- matrix:begin, written by go test ./integrity/check -run Matrix -update -->\n"
	matrixEnd   = "<!-- matrix:end -->\n"
)

// says is a report in a few words: the kinds of its findings, or its first note.
func says(r *check.Report) string {
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
	for _, x := range injured.Injuries() {
		if names[x.Name] {
			t.Fatalf("two injuries are called %q", x.Name)
		}
		names[x.Name] = true
		fmt.Fprintf(&b, "| %s |", x.Name)
		for _, level := range []integrity.Level{integrity.None, integrity.Tail, integrity.Log, integrity.Full} {
			p := injured.New(t, x.Crashed)
			x.Hurt(p)
			before := p.FS.Clone()
			r, err := check.Run(t.Context(), p.View(), check.Options{Level: level})
			if err != nil {
				t.Fatalf("%s, level %v: %v", x.Name, level, err)
			}
			for _, name := range before.Names() {
				if !bytes.Equal(before.Bytes(name), p.FS.Bytes(name)) {
					t.Errorf("%s: check changed %s", x.Name, name)
				}
			}
			for _, f := range r.Findings {
				if f.Reason == "" || f.Next == "" || f.File == "" {
					t.Errorf("%s, level %v: an incomplete finding: %+v", x.Name, level, f)
				}
			}
			if level == integrity.Full && (len(r.Findings) == 0) != (x.Harmless || x.Undecidable) {
				t.Errorf("%s: full finds %+v", x.Name, r.Findings)
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
	t.Errorf("%s is not what check says; if check is right: go test ./integrity/check -run Matrix -update", matrixFile)
}

// TestTheSickStoreIsSoundAtFirst checks both stores before anything is done to them.
func TestTheSickStoreIsSoundAtFirst(t *testing.T) {
	for _, crashed := range []bool{false, true} {
		p := injured.New(t, crashed)
		r := mustCheckFull(t, p)
		if len(r.Findings) != 0 {
			t.Errorf("crashed %v: %+v", crashed, r.Findings)
		}
	}
}

func mustCheckFull(t testing.TB, p *injured.Store) *check.Report {
	t.Helper()
	r, err := check.Run(t.Context(), p.View(), check.Options{Level: integrity.Full})
	if err != nil {
		t.Fatal(err)
	}
	return r
}
