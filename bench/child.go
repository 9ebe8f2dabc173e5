package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"time"
)

// A task is one turn of one store at one experiment: what a child process is
// told to do.
type task struct {
	Work    string // name of the workload
	Store   string // name of the store
	Dir     string // an empty folder, or a fixture
	Keys    keyKind
	N       int           // how many keys
	More    int           // how many more are in the fixture
	Value   int           // size of a value
	Writers int           // goroutines that put
	Synced  bool          // config.Synced
	Limit   time.Duration // the most that a loop of puts takes; the rate is that until then
	Profile string        // file for a CPU profile, or empty
}

// figures are the results of a turn by name.
type figures map[string]float64

// workloads are what a child can be told to do.
var workloads = map[string]func(*task) (figures, error){
	"put":    runPut,
	"synced": runSynced,
	"bare":   runBare,
	"load":   runLoad,
	"fill":   runFill,
	"get":    runGet,
	"scan":   runScan,
	"open":   runOpen,
	"die":    runDie,
	"memory": runMemory,
	"stall":  runStall,
}

// open opens the task's store in the folder sub of its own.
func (t *task) open(sub string, c config) (engine, error) {
	dir := filepath.Join(t.Dir, sub)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	c.Writers = max(c.Writers, 1)
	e, err := kindOf(t.Store).open(dir, c)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", t.Store, err)
	}
	return e, nil
}

// child reads a task from in, does it and writes its figures to out.
func child(in io.Reader, out io.Writer) (err error) {
	var t task
	if err := json.NewDecoder(in).Decode(&t); err != nil {
		return err
	}
	run, ok := workloads[t.Work]
	if !ok || kindOf(t.Store) == nil {
		return fmt.Errorf("no workload %q or store %q", t.Work, t.Store)
	}
	if t.Profile != "" {
		f, err := os.Create(t.Profile)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer func() {
			pprof.StopCPUProfile()
			err = errors.Join(err, f.Close())
		}()
	}
	f, err := run(&t)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(f)
}

// do has a child process do a task and returns its figures. One that may die may
// end itself by SIGKILL after it wrote them.
func do(ctx context.Context, t *task, mayDie bool) (figures, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	in, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	var out, msg bytes.Buffer
	cmd := exec.CommandContext(ctx, exe, "-child")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &msg
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil || !mayDie || !killed(err) {
			return nil, fmt.Errorf("%s, %s: %w: %s", t.Work, t.Store, err, bytes.TrimSpace(msg.Bytes()))
		}
	}
	var f figures
	err = json.Unmarshal(out.Bytes(), &f)
	return f, err
}
