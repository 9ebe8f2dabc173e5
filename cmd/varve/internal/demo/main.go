// Command demo shows what varve promises, on real input: it imports the source
// of the Go toolchain, kills the importer halfway, and proves that every object that
// was acknowledged came through; then it finishes the import, reads beside the
// writer, exports, and proves that nothing differs. All the while the archiver ships
// the segments. At last it makes a mistake, loses the store, restores the moment before
// the mistake from the archive, and proves again that nothing differs. It runs the
// command varve as a user would; run it with make demo.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "demo: %v\n", err)
		os.Exit(1)
	}
}

// demo is one run.
type demo struct {
	ctx    context.Context
	tmp    string
	varve  string // the binary
	source string // the tree that goes in
	store  string
	dest   string // where it comes out
	total  int    // objects that the source makes
	bytes  int64  // of its files
	acked  []string
	rows   []row

	archive  string // URL
	archiver *exec.Cmd
	shipped  bytes.Buffer // what it logs
	before   time.Time    // the mistake
}

// row is a line of the table at the end.
type row struct {
	what, result string
	took         time.Duration
}

func run(ctx context.Context) (err error) {
	tmp, err := os.MkdirTemp("", "varve-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeAll(tmp)) }()
	d := &demo{
		ctx: ctx, tmp: tmp, varve: filepath.Join(tmp, "varve"),
		store: filepath.Join(tmp, "store"), dest: filepath.Join(tmp, "out"), archive: "file://" + filepath.Join(tmp, "archive"),
	}
	for _, step := range []func() error{
		d.build, d.survey, d.killedImport, d.showRecovery, d.checkAcked, d.finishImport, d.export, d.prove,
		d.mistake, d.loseStore, d.restore, d.export, d.prove,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	d.table()
	return nil
}

// say begins a step.
func say(format string, args ...any) { fmt.Printf("\n== "+format+"\n", args...) }

// done adds a row to the table.
func (d *demo) done(start time.Time, what, format string, args ...any) {
	d.rows = append(d.rows, row{what, fmt.Sprintf(format, args...), time.Since(start)})
}

func (d *demo) command(args ...string) *exec.Cmd {
	fmt.Printf("$ varve %s\n", strings.ReplaceAll(strings.Join(args, " "), d.tmp+"/", ""))
	cmd := exec.CommandContext(d.ctx, d.varve, args...)
	cmd.Env = append(os.Environ(), "VARVE_DIR="+d.store)
	cmd.Stderr = os.Stdout
	return cmd
}

// varveOut runs varve and returns what it prints.
func (d *demo) varveOut(args ...string) (string, error) {
	out, err := d.command(args...).Output()
	if err != nil {
		return "", fmt.Errorf("varve %s: %w", args[0], err)
	}
	return string(out), nil
}

func (d *demo) build() error {
	say("build varve")
	start := time.Now()
	cmd := exec.CommandContext(d.ctx, "go", "build", "-o", d.varve, "github.com/varve-db/varve/cmd/varve")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build: %w", err)
	}
	d.done(start, "build", "one binary")
	return nil
}

// survey finds the source, and how many objects it will make.
func (d *demo) survey() error {
	out, err := exec.CommandContext(d.ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("go env GOROOT: %w", err)
	}
	d.source, err = filepath.EvalSymlinks(filepath.Join(strings.TrimSpace(string(out)), "src"))
	if err != nil {
		return err
	}
	err = filepath.WalkDir(d.source, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() {
			d.bytes += info.Size()
		}
		d.total++
		return err
	})
	say("the source: the Go toolchain's own, %d files, directories and links, %s", d.total, mib(d.bytes))
	return err
}

func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

func rate(n int64, d time.Duration) string { return mib(int64(float64(n)/d.Seconds())) + "/s" }

// removeAll is os.RemoveAll, for trees with directories that may not be written to.
func removeAll(dir string) error {
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			err = os.Chmod(path, 0o700)
		}
		return err
	})
	return os.RemoveAll(dir)
}
