package main

import (
	"fmt"
	"os"
	"runtime/debug"
)

// gcPercent is how much garbage there may be for each 100 bytes in use. With 60 in place of
// Go's 100, put, get, stat, archive status and backup create on a store of 50,000 segments of one
// object take 94 to 114 MB of memory in all in place of 104 to 131, and no more time.
const gcPercent = 60

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	os.Exit(run(os.Args[1:]))
}

// run is the program, as a function from its arguments to the exit code.
func run(args []string) int {
	a := &app{in: os.Stdin, out: &output{file: os.Stdout}, errs: os.Stderr}
	return a.run(args)
}

func (a *app) run(args []string) int {
	root := a.root()
	root.SetArgs(args)
	cmd, err := root.ExecuteC()
	if err == nil {
		if err = a.out.err; err == nil {
			return exitDone
		}
	} else if !a.started {
		err = usagef("%w; see %s --help", err, cmd.CommandPath())
	}
	if a.log != nil {
		a.log.Error(oneLine(err), "exit", exitCode(err))
	} else {
		for _, line := range errorLines(err) {
			fmt.Fprintf(a.errs, "varve: %s\n", line)
		}
	}
	return exitCode(err)
}
