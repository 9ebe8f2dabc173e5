package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMain makes the test binary a child of its own runs.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "-child" {
		if err := child(os.Stdin, os.Stdout); err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// TestEveryExperiment runs all of them, small, with the stores that
// targets need, and puts the tables into a README.
func TestEveryExperiment(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	dir := t.TempDir()
	const n = 2000
	r := &runner{dir: dir, n: n, rounds: 1, stores: []string{"varve", "pebble", "bbolt", "buntdb", "rosedb"},
		results: newResults(dir, n, 1), log: t.Output()}
	if err := r.run(t.Context(), experiments(limits{time.Second, 50 * time.Millisecond, 0.02})); err != nil {
		t.Fatal(err)
	}
	for _, x := range targets() {
		if _, ok := x.judge(r.results); !ok && !excused(r.results, x.name) {
			t.Errorf("nothing measured for target %q", x.title)
		}
	}
	for _, w := range sideRows() {
		if _, ok := r.results.median(w.name, w.side, w.metric); !ok && !excused(r.results, w.name) {
			t.Errorf("nothing measured for row %q (%s, %s, %s)", w.title, w.name, w.side, w.metric)
		}
	}
	for _, w := range rows() {
		if _, ok := r.results.median(w.name, "varve", w.metric); !ok {
			t.Errorf("nothing measured for row %q (%s, %s)", w.title, w.name, w.metric)
		}
	}
	name, err := r.results.save(filepath.Join(dir, "results"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := load([]string{name, name})
	if err != nil {
		t.Fatal(err)
	}
	testReadme(t, again, filepath.Join(dir, "README.md"))
}

// excused reports whether a note says why an experiment has fewer figures than usual.
func excused(r *results, name string) bool {
	return slices.ContainsFunc(r.Notes, func(n string) bool {
		return strings.HasPrefix(n, name+": ") && (strings.Contains(n, "nothing is measured") || strings.Contains(n, errSkip.Error()))
	})
}

func testReadme(t *testing.T, r *results, file string) {
	if err := os.WriteFile(file, []byte("before\n"+beginMark+"\nold\n"+endMark+"\nafter\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var last string
	for range 2 { // writing again changes nothing
		if err := r.writeInto(file); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s := string(b)
		if !strings.HasPrefix(s, "before\n"+beginMark) || !strings.HasSuffix(s, endMark+"\nafter\n") || strings.Contains(s, "old\n") {
			t.Fatalf("README is\n%s", s)
		}
		if last != "" && s != last {
			t.Error("writing the tables again changed the README")
		}
		last = s
	}
	if err := os.WriteFile(file, []byte("no marks"), 0o644); err != nil {
		t.Fatal(err)
	}
	if r.writeInto(file) == nil {
		t.Error("a README without marks was written")
	}
}
