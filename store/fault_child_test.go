package store

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Some tests need a process of their own: to be another user, to have few file
// handles, to be killed. They run this test binary again, with a role.

const roleVar, dirVar = "VARVE_TEST_ROLE", "VARVE_TEST_DIR"

// TestChild is not a test: it is what the processes do that other tests start.
func TestChild(t *testing.T) {
	dir := os.Getenv(dirVar)
	switch os.Getenv(roleVar) {
	case "":
		t.Skip("for processes that other tests start")
	case "hold":
		childHold(t, dir)
	case "write":
		childWrite(t, dir)
	case "plain user":
		childPlainUser(t, dir)
	case "few handles":
		childFewHandles(t, dir)
	case "small files":
		childSmallFiles(t, dir)
	}
}

// child is a process that a test started.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
	log strings.Builder
}

// start runs this binary in a role. The process is killed when the test ends.
func start(t *testing.T, role, dir string, attr *syscall.SysProcAttr) *child {
	t.Helper()
	c := &child{cmd: exec.Command("/proc/self/exe", "-test.run=^TestChild$", "-test.v")}
	if _, err := os.Stat("/proc/self/exe"); err != nil {
		c.cmd.Path = os.Args[0]
	}
	c.cmd.Env = append(os.Environ(), roleVar+"="+role, dirVar+"="+dir)
	c.cmd.SysProcAttr = attr
	c.cmd.Stderr = &c.log
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.out = bufio.NewScanner(out)
	c.out.Buffer(nil, 1<<20)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.kill)
	return c
}

// kill ends the process as kill -9 does.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

// until reads the process's lines up to the one that begins with word, and
// returns the rest of that.
func (c *child) until(t *testing.T, word string) string {
	t.Helper()
	var seen []string
	for c.out.Scan() {
		if rest, ok := strings.CutPrefix(c.out.Text(), word); ok {
			return strings.TrimSpace(rest)
		}
		seen = append(seen, c.out.Text())
	}
	t.Fatalf("the process ended without a line %q: %s %s", word, strings.Join(seen, "\n"), c.log.String())
	return ""
}

// finish waits for the end of a process that makes its own findings.
func (c *child) finish(t *testing.T) {
	t.Helper()
	var lines []string
	for c.out.Scan() {
		lines = append(lines, c.out.Text())
	}
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("%v: %s\n%s", err, strings.Join(lines, "\n"), c.log.String())
	}
}

// childHold opens the store and keeps it until its input ends.
func childHold(t *testing.T, dir string) {
	db, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("holding", os.Getpid())
	_, _ = io.Copy(io.Discard, os.Stdin)
	mustClose(t, db)
}

// childWrite counts up under two keys, in batches and in many segments, until
// it is killed; it tells what was acknowledged.
func childWrite(t *testing.T, dir string) {
	db, err := Open(dir, &Options{SegmentSize: 16 << 10})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	if v, err := db.Get([]byte("n")); err == nil {
		n, _ = strconv.Atoi(string(v))
	}
	fmt.Println("from", n)
	for {
		n++
		var b Batch
		s := fmt.Append(nil, n)
		b.Put([]byte("n"), s)
		b.Put([]byte("same"), s)
		b.Put(fmt.Appendf(nil, "all/%09d", n), make([]byte, 500))
		if err := db.Apply(&b); err != nil {
			t.Fatal(err)
		}
		fmt.Println("acked", n)
		time.Sleep(time.Millisecond)
	}
}

// setNumber sets a field that is signed on some systems.
func setNumber[T int64 | uint64](field *T, n uint64) { *field = T(n) }

// childFewHandles opens a store of many segments with few file handles.
func childFewHandles(t *testing.T, dir string) {
	limit := func(n uint64) {
		t.Helper()
		r := syscall.Rlimit{Max: 1024}
		setNumber(&r.Cur, n)
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
			t.Fatal(err)
		}
	}
	// Go's poller takes two handles with the first file that a process opens,
	// and ends the process if they are refused.
	if f, err := os.Open(os.DevNull); err == nil {
		f.Close()
	}
	used := func() uint64 {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return uint64(len(list))
	}
	for spare := range uint64(8) {
		limit(used() + spare)
		db, err := Open(dir, &Options{SegmentSize: MinSegmentSize})
		if err == nil {
			if got, err := readAll(db); err != nil || len(got) != 400 {
				t.Errorf("%d objects, %v", len(got), err)
			}
			limit(1024)
			mustClose(t, db)
			continue
		}
		if !errors.Is(err, syscall.EMFILE) || !strings.Contains(err.Error(), "ulimit -n") || !strings.Contains(err.Error(), dir) {
			t.Errorf("open with %d handles left: %v", spare, err)
		}
		limit(1024)
		db, err = Open(dir, &Options{SegmentSize: MinSegmentSize})
		if err != nil {
			t.Fatalf("with handles, after it failed without: %v", err)
		}
		mustClose(t, db)
	}
	limit(40) // far fewer than segments
	db, err := Open(dir, &Options{SegmentSize: MinSegmentSize})
	if err != nil {
		t.Fatalf("with 40 handles: %v", err)
	}
	if got, err := readAll(db); err != nil || len(got) != 400 {
		t.Errorf("%d objects, %v", len(got), err)
	}
	mustClose(t, db)
}

// childSmallFiles writes until the process may not let the file grow any more.
func childSmallFiles(t *testing.T, dir string) {
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 100_000, Max: 100_000}); err != nil {
		t.Fatal(err)
	}
	db, err := Open(dir, &Options{SegmentSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for ; n < 1000 && err == nil; n++ {
		err = db.Put(fmt.Appendf(nil, "%04d", n), make([]byte, 1000))
	}
	if !errors.Is(err, ErrPoisoned) || !errors.Is(err, syscall.EFBIG) || !strings.Contains(err.Error(), "ulimit -f") {
		t.Errorf("put %d: %v", n, err)
	}
	if got, err := readAll(db); err != nil || len(got) != n-1 {
		t.Errorf("%d objects of %d, %v", len(got), n-1, err)
	}
	if err := db.Close(); !errors.Is(err, ErrPoisoned) {
		t.Errorf("close: %v", err)
	}
}
