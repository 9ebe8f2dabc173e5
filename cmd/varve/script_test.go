package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"varve":    main,
		"asuser":   asUser,
		"hold":     hold,
		"peak":     peak,
		"embedder": embedder,
		"oddtree":  oddTree,
		"ahead":    ahead,
		"foreign":  foreign,
		"listtree": listTree,
	})
}

// TestScripts runs testdata/script: the command line as its users see it.
func TestScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("scripts start many processes, and take long with the race detector")
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: false,
		RequireUniqueNames:  true,
		Setup:               setup,
		Condition:           condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code":    codeCmd,
			"flip":    flipCmd,
			"tmpfs":   tmpfsCmd,
			"waitfor": waitForCmd,
			"signal":  signalCmd,
		},
	})
}

// setup lets a plain user reach the test's folder and its programs.
func setup(e *testscript.Env) error {
	e.Setenv("VARVE_DIR", "")
	exe, err := exec.LookPath("varve")
	if err != nil {
		return err
	}
	for _, dir := range []string{e.WorkDir, filepath.Dir(exe)} {
		for ; dir != filepath.Dir(dir) && dir != filepath.Clean(os.TempDir()); dir = filepath.Dir(dir) {
			if info, err := os.Stat(dir); err != nil || info.Mode().Perm()&0o055 == 0o055 {
				continue
			}
			if err := os.Chmod(dir, 0o755); err != nil {
				return err
			}
		}
	}
	return nil
}

// condition are the conditions of the scripts: [user] if a part can run as a plain
// user, [tmpfs] if a small file system can be mounted, [gnufind].
func condition(cond string) (bool, error) {
	switch cond {
	case "user":
		return true, nil // asuser changes the user if it is root, and is one if not
	case "tmpfs":
		return canMount(), nil
	case "gnufind":
		return exec.Command("find", "/", "-maxdepth", "0", "-printf", "%P").Run() == nil, nil
	}
	return false, errors.New("unknown condition " + cond)
}

// codeCmd is "code N program args...": the program must exit with just that code.
func codeCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N program args...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		e, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = e.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// flipCmd is "flip FILE OFFSET": it inverts one byte; a negative offset counts
// from the end.
func flipCmd(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: flip FILE OFFSET")
	}
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	path := ts.MkAbs(args[0])
	b, err := os.ReadFile(path)
	ts.Check(err)
	if at < 0 {
		at += len(b)
	}
	b[at] ^= 0xff
	ts.Check(os.Chmod(path, 0o600))
	ts.Check(os.WriteFile(path, b, 0o600))
}
