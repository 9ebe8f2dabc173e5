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

	"github.com/varve-db/varve/integrity"
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

	// Of the experiments on a stage:
	Level   integrity.Level // of an open
	Segment int64           // config.SegmentSize
	Other   string          // a second folder, or the URL of an archive
	State   string          // a folder for receipts
	Files   []string        // to be read
	Rate    int64           // the most that is sent in a second, in bytes
	Env     []string        // what is added to the environment of the process
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

	"grow":    runGrow,
	"level":   runLevel,
	"check":   runCheck,
	"hash":    runHash,
	"read":    runRead,
	"repair":  runRepair,
	"init":    runInit,
	"ship":    runShip,
	"upload":  runUpload,
	"restore": runRestore,
	"one":     runOne,
	"write":   runWrite,
	"archive": runArchive,
	"catalog": runCatalog,

	"many: open":   runMany(manyOpen),
	"many: put":    runMany(manyPut),
	"many: stat":   runMany(manyStat),
	"many: status": runMany(manyStatus),
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

// command returns the command of a child process that does a task, without its standard
// input, and where its output goes.
func (t *task) command(ctx context.Context) (cmd *exec.Cmd, out, msg *bytes.Buffer, err error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, nil, nil, err
	}
	out, msg = new(bytes.Buffer), new(bytes.Buffer)
	cmd = exec.CommandContext(ctx, exe, "-child")
	cmd.Stdout, cmd.Stderr = out, msg
	cmd.Env = append(os.Environ(), t.Env...)
	return cmd, out, msg, nil
}

// do has a child process do a task and returns its figures. One that may die may
// end itself by SIGKILL after it wrote them.
func do(ctx context.Context, t *task, mayDie bool) (figures, error) {
	in, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	cmd, out, msg, err := t.command(ctx)
	if err != nil {
		return nil, err
	}
	cmd.Stdin = bytes.NewReader(in)
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil || !mayDie || !killed(err) {
			return nil, fmt.Errorf("%s, %s: %w: %s", t.Work, t.Store, err, bytes.TrimSpace(msg.Bytes()))
		}
	}
	var f figures
	err = json.Unmarshal(out.Bytes(), &f)
	return f, err
}

// background has a child process begin a task that goes on until its standard input
// ends, which end sees to. It returns the figures.
func background(ctx context.Context, t *task) (end func() (figures, error), err error) {
	cmd, out, msg, err := t.command(ctx)
	if err != nil {
		return nil, err
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	sent := json.NewEncoder(in).Encode(t)
	return func() (figures, error) {
		if err := errors.Join(sent, in.Close(), cmd.Wait()); err != nil {
			return nil, fmt.Errorf("%s: %w: %s", t.Work, err, bytes.TrimSpace(msg.Bytes()))
		}
		var f figures
		err := json.Unmarshal(out.Bytes(), &f)
		return f, err
	}, nil
}
