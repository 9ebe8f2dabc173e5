package main

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// between returns what stands between two marks.
func between(t *testing.T, s, from, to string) string {
	t.Helper()
	_, s, ok := strings.Cut(s, from)
	if !ok {
		t.Fatalf("no %q", from)
	}
	s, _, ok = strings.Cut(s, to)
	if !ok {
		t.Fatalf("no %q", to)
	}
	return s
}

func TestReadmeShowsTheCompiledExample(t *testing.T) {
	source := between(t, readFile(t, "../../store/example_test.go"), "\tdefer os.RemoveAll(dir)\n", "}\n\t// Output:")
	want := strings.ReplaceAll("\n"+source+"}\n", "\n\t", "\n")
	got := between(t, readFile(t, "../../README.md"), "<!-- example -->\n```go", "```\n<!-- /example -->")
	if got != want {
		t.Errorf("README.md has another example than store/example_test.go, want:\n%s", want)
	}
	if n := strings.Count(want, "\n") - 1; n > 20 {
		t.Errorf("the example has %d lines, want at most 20", n)
	}
}

func TestReadmeNamesEveryCommand(t *testing.T) {
	readme := readFile(t, "../../README.md")
	for _, c := range new(app).root().Commands() {
		if c.Name() != "version" && !strings.Contains(readme, "varve "+c.Name()) {
			t.Errorf("README.md lacks varve %s", c.Name())
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^    varve (\w+)`).FindAllStringSubmatch(readme, -1) {
		if cmd, _, err := new(app).root().Find(m[1:2]); err != nil || cmd.Name() != m[1] {
			t.Errorf("README.md has varve %s, which is no command", m[1])
		}
	}
	if !strings.HasPrefix(readme, "# varve\n\n    make demo") {
		t.Error("README.md does not begin with the two commands")
	}
}

// TestHelpDocumentsJSON holds each command's help to what it prints with --json.
func TestHelpDocumentsJSON(t *testing.T) {
	dir := t.TempDir() + "/s"
	for _, args := range [][]string{{"put", "k", "v"}, {"get", "k"}, {"has", "k"}, {"scan"}, {"stat"}, {"check"}, {"repair"}, {"repair", "--salvage", dir + "2", "--dry-run"}, {"seal"}, {"version"}, {"del", "k"}} {
		out, err := command(t, append([]string{"-d", dir, "--json"}, args...)...).Output()
		if err != nil {
			t.Fatalf("%s: %v", args[0], err)
		}
		help, err := exec.Command("varve", args[0], "--help").Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`"(\w+)":`).FindAllSubmatch(out, -1) {
			if !bytes.Contains(help, m[1]) && !writerField(string(m[1])) {
				t.Errorf("varve %s --help does not document the field %s", args[0], m[1])
			}
		}
	}
}

// writerField reports whether a field of stat is one of those that its help sums up
// as those of a writer, or that a read-only open leaves empty.
func writerField(name string) bool {
	switch name {
	case "reserve_bytes", "disk_full", "unsealed", "unwritten_bytes", "written_bytes", "syncs", "Timeline", "ID", "created", "sealed", "removed":
		return true
	}
	return false
}
