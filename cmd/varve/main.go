package main

import (
	"fmt"
	"os"
)

func main() { os.Exit(run(os.Args[1:])) }

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
	err = a.whoHas(err)
	if a.log != nil {
		a.log.Error(oneLine(err), "exit", exitCode(err))
	} else {
		for _, line := range errorLines(err) {
			fmt.Fprintf(a.errs, "varve: %s\n", line)
		}
	}
	return exitCode(err)
}
