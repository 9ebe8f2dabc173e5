package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/varve-db/varve/store"
)

// command returns the program, as the tests' own binary.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := exec.LookPath("varve")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, args...)
	cmd.Env = append(os.Environ(), "VARVE_DIR=")
	return cmd
}

// manyFiles makes a tree that takes more than one batch, and whose keys fill a pipe.
func manyFiles(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	for i := range n {
		sub := filepath.Join(dir, fmt.Sprintf("%0100d", i/1000))
		if err := os.MkdirAll(sub, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(sub, fmt.Sprintf("%0100d", i)), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// checkStore opens the store for reading, and wants at least the given keys and a
// store that was closed in order.
func checkStore(t *testing.T, dir string, keys []string) {
	t.Helper()
	r, err := store.OpenReadOnly(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if !r.OpenReport().Clean {
		t.Error("the store was not closed in order")
	}
	for _, k := range keys {
		if ok, err := r.Has([]byte(k)); !ok {
			t.Fatalf("%s was acknowledged, and is not there: %v", k, err)
		}
	}
}

// interruptImport starts an import that waits because nobody reads what it tells,
// lets interrupt do its work, and returns the keys it told, what it said and the
// exit code.
func interruptImport(t *testing.T, dir string, interrupt func(*exec.Cmd, io.Closer)) (keys []string, said string, code int) {
	t.Helper()
	cmd := command(t, "-d", dir, "import", "-v", manyFiles(t, 5000))
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan() // the first batch is acknowledged
	keys = append(keys, lines.Text())
	interrupt(cmd, out)
	for lines.Scan() {
		keys = append(keys, lines.Text())
	}
	err = cmd.Wait()
	e, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		t.Fatalf("the import was not interrupted: %v", err)
	}
	return keys, errs.String(), e.ExitCode()
}

func TestInterruptedImportLeavesASoundStore(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			dir := t.TempDir() + "/s"
			keys, said, code := interruptImport(t, dir, func(cmd *exec.Cmd, _ io.Closer) {
				if err := cmd.Process.Signal(sig); err != nil {
					t.Fatal(err)
				}
			})
			want := fmt.Sprintf("varve: stopped by signal: %v; stored up to there: %d objects, ", sig, len(keys))
			if code != 128+int(sig) || !strings.HasPrefix(said, want) || strings.Count(said, "\n") != 1 {
				t.Errorf("exit code %d, said %q, want %d and %q…", code, said, 128+int(sig), want)
			}
			if len(keys) >= 5000 {
				t.Errorf("%d keys were told: it did not stop", len(keys))
			}
			checkStore(t, dir, keys)
		})
	}
}

// TestIgnoredSignalsStayIgnored is nohup, and a background job of a shell without job control.
func TestIgnoredSignalsStayIgnored(t *testing.T) {
	dir := t.TempDir() + "/s"
	varve := command(t, "-d", dir, "import", "-v", manyFiles(t, 2000))
	cmd := exec.CommandContext(t.Context(), "sh", append([]string{"-c", `trap "" INT HUP; exec "$@"`, "sh"}, varve.Args...)...)
	cmd.Env = varve.Env
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan() // the first batch is acknowledged, and the import waits for its reader
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGHUP} {
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	n := 1
	for lines.Scan() {
		n++
	}
	if err := cmd.Wait(); err != nil || n < 2000 {
		t.Errorf("%v after %d keys", err, n)
	}
}

func TestImportStopsWhenNobodyReads(t *testing.T) {
	dir := t.TempDir() + "/s"
	keys, said, code := interruptImport(t, dir, func(_ *exec.Cmd, out io.Closer) { out.Close() })
	if code != 128+int(syscall.SIGPIPE) || !strings.Contains(said, "broken pipe; stored up to there") {
		t.Errorf("exit code %d, said %q", code, said)
	}
	checkStore(t, dir, keys[:len(keys)-1]) // the last line may lack its end
}

func TestInterruptedLoadDoesNotWaitForInput(t *testing.T) {
	dir := t.TempDir() + "/s"
	cmd := command(t, "-d", dir, "load", "--key", "id")
	var errs strings.Builder
	cmd.Stderr = &errs
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for i := range 10000 { // more than a pipe holds: some of it is read
		if _, err := fmt.Fprintf(in, "{\"id\":\"key%d\"}\n", i); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	if e, ok := errors.AsType[*exec.ExitError](err); !ok || e.ExitCode() != 130 {
		t.Fatalf("%v, said %q", err, errs.String())
	}
	checkStore(t, dir, []string{"key0", "key1000"})
}

func TestKilledImportKeepsWhatItAcknowledged(t *testing.T) {
	dir := t.TempDir() + "/s"
	keys, _, _ := interruptImport(t, dir, func(cmd *exec.Cmd, _ io.Closer) {
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
	})
	keys = keys[:len(keys)-1] // the last line may lack its end
	out, err := command(t, "-d", dir, "scan", "--keys-only").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if !strings.Contains(string(out), k+"\n") {
			t.Fatalf("%s was acknowledged, and is not there", k)
		}
	}
}

func TestScanIntoAClosedPipeSaysNothing(t *testing.T) {
	dir := t.TempDir() + "/s"
	db, err := store.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	var b store.Batch
	for i := range 20000 {
		if err := b.Put(fmt.Appendf(nil, "key%05d", i), []byte("some value")); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(db.Apply(&b), db.Close()); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"scan", "dump"} {
		cmd := command(t, "-d", dir, what)
		var errs strings.Builder
		cmd.Stderr = &errs
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if !bufio.NewScanner(out).Scan() {
			t.Fatal("no line")
		}
		out.Close()
		if err := cmd.Wait(); err == nil || errs.Len() > 0 {
			t.Errorf("%s: %v, said %q", what, err, errs.String())
		}
	}
}

func TestFullStandardOutputIsAnError(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("no device that is always full: %v", err)
	}
	defer full.Close()
	dir := t.TempDir() + "/s"
	if err := command(t, "-d", dir, "put", "a", "b").Run(); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"get", "a"}, {"scan"}, {"dump"}, {"stat"}, {"version"}, {"has", "a", "--json"}} {
		cmd := command(t, append([]string{"-d", dir}, args...)...)
		cmd.Stdout = full
		err := cmd.Run()
		if e, ok := errors.AsType[*exec.ExitError](err); !ok || e.ExitCode() != exitOther {
			t.Errorf("%s: %v", args[0], err)
		}
	}
}
