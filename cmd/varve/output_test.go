package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// inProcess runs the program in this process with standard output in a file, and returns its
// exit code.
func inProcess(t *testing.T, out *os.File, args ...string) int {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	a := &app{in: null, out: &output{file: out}, errs: null}
	return a.run(args)
}

// TestFullStdout runs what prints with a standard output that takes nothing: the manual of
// every command, and what needs nothing but a store and an archive.
func TestFullStdout(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	dir := t.TempDir()
	s, arc, file := filepath.Join(dir, "s"), filepath.Join(dir, "arc"), filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte(`{"id":"x"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"put", "-d", s, "k", "v"}, {"seal", "-d", s}, {"archive", "init", "--to", arc}, {"archive", "once", "-d", s, "--to", arc},
		{"backup", "create", "-d", s, "--to", arc},
	} {
		if code := inProcess(t, null, args...); code != 0 {
			t.Fatalf("%q: exit code %d", args, code)
		}
	}
	manuals := [][]string{{"help"}, {"help", "put"}, {"--version"}}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		manuals = append(manuals, append(strings.Fields(c.CommandPath())[1:], "--help"))
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk((&app{out: &output{file: null}}).root())
	if len(manuals) < 30 {
		t.Errorf("only %d commands", len(manuals))
	}
	for _, args := range append(manuals, [][]string{
		{"completion", "bash"}, {"completion", "zsh"}, {"completion", "fish"}, {"completion", "powershell"}, {"version"},
		{"get", "-d", s, "k"}, {"has", "-d", s, "k", "--json"}, {"scan", "-d", s}, {"scan", "-d", s, "--json"}, {"dump", "-d", s}, {"stat", "-d", s}, {"check", "-d", s},
		{"put", "-d", s, "k", "v", "--json"}, {"del", "-d", s, "k", "--json"}, {"import", "-d", s, file, "-v"}, {"import", "-d", s, file}, {"load", "-d", s, "--key", "id", file},
		{"export", "-d", s, filepath.Join(dir, "out")}, {"seal", "-d", s}, {"describe", filepath.Join(s, "00000000000000000001.seg")},
		{"repair", "-d", s}, {"repair", "-d", s, "--salvage", filepath.Join(dir, "saved")}, {"snapshot", "-d", s, filepath.Join(dir, "copy")},
		{"archive", "once", "-d", s, "--to", arc}, {"archive", "status", "-d", s}, {"archive", "audit", "-d", s, "--to", arc}, {"archive", "init", "--to", arc},
		{"backup", "create", "-d", s, "--to", arc}, {"backup", "list", "--from", arc}, {"backup", "show", "--from", arc}, {"backup", "verify", "--from", arc},
		{"backup", "prune", "--from", arc}, {"backup", "delete", "--from", arc, "1"},
		{"restore", "--from", arc, "--dry-run"}, {"restore", "--from", arc, filepath.Join(dir, "back")}, {"scan", "--archive", arc}, {"stat", "--archive", arc},
	}...) {
		if code := inProcess(t, full, args...); code != exitOther {
			t.Errorf("%q: exit code %d with a full standard output, want %d", args, code, exitOther)
		}
	}
}

func TestSuggestions(t *testing.T) {
	root := (&app{out: &output{}}).root()
	for word, want := range map[string]string{
		"set": "put", "ls": "scan", "keys": "scan", "rm": "del", "gte": "get", "expart": "export", "pt": "put", "frob": "", "x": "",
	} {
		if got := suggestion(root, word); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}
