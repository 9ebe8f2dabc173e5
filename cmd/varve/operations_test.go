package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/varve-db/varve/archiver/target/targettest"
)

// operations is the manual whose every command is run here.
const operations = "../../docs/operations.md"

// manualS3 stands in the manual for the URL of a bucket.
const manualS3 = "s3://varve/shop?endpoint=https://s3.example.net"

// step is a command of the manual, with what the manual says that one sees. What is
// unseen prepares: it must not fail, and nobody looks at what it prints.
type step struct {
	line   int
	do     string
	sees   []string
	unseen bool
}

// A page of the manual is marked where it is run: the block after "<!-- run: page -->"
// holds commands, each after "$ ", and below each what it prints; the comment
// "<!-- unseen: page" holds shell lines that set the scene.
var (
	runMark    = regexp.MustCompile(`^<!-- run: ([-\w]+) -->$`)
	unseenMark = regexp.MustCompile(`^<!-- unseen: ([-\w]+)$`)
)

// manualPages returns the steps of each page, and the names of the pages in order.
func manualPages(t *testing.T) (pages map[string][]step, names []string) {
	t.Helper()
	lines := strings.Split(readFile(t, operations), "\n")
	pages = map[string][]step{}
	add := func(page string, steps ...step) {
		if !slices.Contains(names, page) {
			names = append(names, page)
		}
		pages[page] = append(pages[page], steps...)
	}
	for i := 0; i < len(lines); i++ {
		switch {
		case unseenMark.MatchString(lines[i]):
			end := i + 1 + slices.Index(lines[i+1:], "-->")
			add(unseenMark.FindStringSubmatch(lines[i])[1], step{line: i + 2, do: strings.Join(lines[i+1:end], "\n"), unseen: true})
			i = end
		case runMark.MatchString(lines[i]):
			if lines[i+1] != "```console" {
				t.Fatalf("%s:%d: no console block after the mark", operations, i+1)
			}
			end := i + 2 + slices.Index(lines[i+2:], "```")
			add(runMark.FindStringSubmatch(lines[i])[1], consoleSteps(lines[i+2:end], i+3)...)
			i = end
		case lines[i] == "```console":
			t.Errorf("%s:%d: a console block that no test runs", operations, i+1)
		}
	}
	return pages, names
}

// consoleSteps takes a console block apart, which begins on that line.
func consoleSteps(lines []string, first int) []step {
	var steps []step
	for i := 0; i < len(lines); i++ {
		do, ok := strings.CutPrefix(lines[i], "$ ")
		if !ok {
			s := &steps[len(steps)-1]
			s.sees = append(s.sees, lines[i])
			continue
		}
		steps = append(steps, step{line: first + i})
		for strings.HasSuffix(do, "\\") {
			i++
			do += "\n" + lines[i]
		}
		steps[len(steps)-1].do = do
	}
	return steps
}

// TestOperationsManual runs every command of docs/operations.md, page by page, each page in
// one shell, and compares what it prints: word for word, but for numbers, times and
// widths. With -update what is printed is written there instead.
func TestOperationsManual(t *testing.T) {
	if testing.Short() {
		t.Skip("the manual starts many processes")
	}
	pages, names := manualPages(t)
	for _, want := range []string{"screens", "daily", "moment", "s3", "standby", "drill"} {
		if len(pages[want]) == 0 {
			t.Errorf("the manual has no page %s", want)
		}
	}
	news := manualNews{print: map[int][]string{}}
	t.Run("page", func(t *testing.T) {
		for _, name := range names {
			t.Run(name, func(t *testing.T) {
				m := manual{work: t.TempDir(), s3: manualS3, news: &news}
				if slices.ContainsFunc(pages[name], func(s step) bool { return strings.Contains(s.do, manualS3) }) {
					m.s3 = targettest.StartS3(t).URL("shop")
				} else {
					t.Parallel()
				}
				m.run(t, pages[name])
			})
		}
	})
	if *update {
		news.write(t)
	}
}

// manualNews is what is printed and is not what the manual has, by the line that
// it comes after.
type manualNews struct {
	mu    sync.Mutex
	print map[int][]string
}

// write puts the news into the manual.
func (n *manualNews) write(t *testing.T) {
	t.Helper()
	var out []string
	lines := strings.Split(readFile(t, operations), "\n")
	for i := 0; i < len(lines); i++ {
		out = append(out, lines[i])
		print, ok := n.print[i+1]
		if !ok {
			continue
		}
		out = append(out, print...)
		for i+1 < len(lines) && lines[i+1] != "```" && !strings.HasPrefix(lines[i+1], "$ ") {
			i++
		}
	}
	if err := os.WriteFile(operations, []byte(strings.Join(out, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
}

// manual is the place where a page is run: /backup and /scratch of the manual are folders in work.
type manual struct {
	work string
	s3   string
	news *manualNews
}

// here returns a command of the manual as it is run.
func (m *manual) here(s string) string {
	s = strings.ReplaceAll(s, "localhost:9750", "localhost:0") // any port that is free
	s = strings.ReplaceAll(s, "/backup", m.work+"/backup")
	s = strings.ReplaceAll(s, "/scratch", m.work+"/scratch")
	return strings.ReplaceAll(s, manualS3, m.s3)
}

// there is the other way round, for what was printed.
func (m *manual) there(s string) string {
	s = strings.ReplaceAll(s, m.s3, manualS3)
	return strings.ReplaceAll(strings.ReplaceAll(s, m.work+"/cwd/", ""), m.work, "")
}

// mark ends what a step prints, with its number and exit code.
const mark = "\n<<%d %d>>\n"

var markLine = regexp.MustCompile(`\n<<(\d+) (\d+)>>\n`)

func (m *manual) run(t *testing.T, steps []step) {
	t.Helper()
	cwd := filepath.Join(m.work, "cwd")
	for _, dir := range []string{cwd, m.work + "/backup", m.work + "/scratch"} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	var script strings.Builder
	for i, s := range steps {
		fmt.Fprintf(&script, "%s\nprintf '%s' %d $?\n", m.here(s.do), strings.ReplaceAll(mark, "\n", `\n`), i)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // a page may wait for what does not come
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", script.String())
	cmd.Dir = cwd
	cmd.Env = append(os.Environ(), "VARVE_DIR=", "TZ=UTC", "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // with all that the page leaves in the background
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("the shell: %v", err)
	}
	rest := string(out)
	for i, s := range steps {
		at := markLine.FindStringSubmatchIndex(rest)
		if at == nil || rest[at[2]:at[3]] != strconv.Itoa(i) {
			t.Fatalf("%s:%d: the shell did not come to the end of this:\n%s\n%s", operations, s.line, s.do, rest)
		}
		m.compare(t, s, rest[:at[0]], rest[at[4]:at[5]])
		rest = rest[at[1]:]
	}
}

// compare holds what a step printed to what the manual says. It failed if and only if the
// last line of that is an error.
func (m *manual) compare(t *testing.T, s step, out, code string) {
	t.Helper()
	got := strings.Split(strings.TrimRight(m.there(out), "\n"), "\n")
	if s.unseen {
		if code != "0" {
			t.Fatalf("%s:%d: exit code %s:\n%s", operations, s.line, code, strings.Join(got, "\n"))
		}
		return
	}
	// The folders of the test are all on one file system, those of the manual are not.
	got = slices.DeleteFunc(got, func(l string) bool { return strings.Contains(l, "is on the same file system as the store") })
	if *update {
		m.news.mu.Lock()
		defer m.news.mu.Unlock()
		if !seen(shapes(s.sees), shapes(got)) {
			m.news.print[s.line+strings.Count(s.do, "\n")] = slices.DeleteFunc(got, func(l string) bool { return l == "" && len(got) == 1 })
		}
		return
	}
	if wants := len(s.sees) > 0 && strings.HasPrefix(s.sees[len(s.sees)-1], "varve: "); wants != (code != "0") {
		t.Errorf("%s:%d: %s: exit code %s, and the manual shows the error: %v", operations, s.line, s.do, code, wants)
	}
	if g, w := shapes(got), shapes(s.sees); !seen(w, g) {
		t.Errorf("%s:%d: %s: prints\n%s\nas\n%s\nthe manual has\n%s", operations, s.line, s.do,
			strings.Join(got, "\n"), strings.Join(g, "\n"), strings.Join(w, "\n"))
	}
}

// seen reports whether got is what the manual wants, where a line … stands for any
// number of lines.
func seen(want, got []string) bool {
	if len(want) == 0 {
		return len(got) == 0
	}
	if want[0] == "…" {
		for i := range len(got) + 1 {
			if seen(want[1:], got[i:]) {
				return true
			}
		}
		return false
	}
	return len(got) > 0 && want[0] == got[0] && seen(want[1:], got[1:])
}

var (
	hexShape    = regexp.MustCompile(`\b[0-9a-f]{8,}(-[0-9a-f]{4,})*\b`)
	timeShape   = regexp.MustCompile(`\d{4}-\d\d-\d\d[ T]\d\d[:-]\d\d[:-]\d\d(\.\d+)?( \+0000 UTC|Z)?`)
	numberShape = regexp.MustCompile(`\d+(\.\d+)?( ?(ns|µs|ms|s|B|KiB|MiB))?\b`)
	blankShape  = regexp.MustCompile(`[ \t]+`)
)

// shapes are the lines without what differs from run to run. Numbers below ten without
// a unit are kept: they count what is shown.
func shapes(lines []string) []string {
	var list []string
	for _, l := range lines {
		l = timeShape.ReplaceAllString(l, "TIME")
		l = hexShape.ReplaceAllString(l, "HEX")
		l = numberShape.ReplaceAllStringFunc(l, func(n string) string {
			if len(n) == 1 {
				return n
			}
			return "N"
		})
		if l = strings.TrimSpace(blankShape.ReplaceAllString(l, " ")); l != "" {
			list = append(list, l)
		}
	}
	return list
}

// TestOperationsNamesCommandsThatAre holds what the manual says of commands, within its text, to
// the commands and the flags that there are.
func TestOperationsNamesCommandsThatAre(t *testing.T) {
	text := strings.Join(strings.Fields(readFile(t, operations)), " ")
	found := regexp.MustCompile("`varve ([^`]*)`").FindAllStringSubmatch(text, -1)
	if len(found) < 20 {
		t.Errorf("the manual names %d commands", len(found))
	}
	for _, f := range found {
		words := strings.Fields(f[1])
		cmd, _, err := new(app).root().Find(words)
		if err != nil || !cmd.HasParent() {
			t.Errorf("%s: %v", f[0], err)
			continue
		}
		for _, w := range words {
			if name, ok := strings.CutPrefix(w, "--"); ok {
				name, _, _ = strings.Cut(name, "=")
				if cmd.Flags().Lookup(name) == nil && cmd.InheritedFlags().Lookup(name) == nil {
					t.Errorf("%s: there is no --%s", f[0], name)
				}
			}
		}
	}
}
