package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// app is what the commands share: the streams and the flags that all of them take.
type app struct {
	in        *os.File
	out, errs *os.File
	dir       string
	json      bool
	trust     trust
	started   bool   // a command runs: its errors are not those of its usage
	bar       *meter // what warnings have to make room for, or nil
}

// root is the command tree.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "varve",
		Short: "A log-structured object store",
		Long: `varve keeps objects in a store: a folder of log segments that are written once.

The store is named by -d DIR or by the variable VARVE_DIR. put, del, import and
load create it where it is absent; whatever only reads works beside a writer.

Exit codes: 0 done, 1 not found (get, has), 2 usage or bad input, 3 damage or findings,
4 locked by another writer, 5 any other failure; 128 and its number after a signal.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          knownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f := root.PersistentFlags()
	f.StringVarP(&a.dir, "dir", "d", os.Getenv("VARVE_DIR"), "the store's folder (VARVE_DIR)")
	f.Lookup("dir").DefValue = ""
	f.BoolVar(&a.json, "json", false, "print JSON, one object a line")
	root.AddCommand(a.opensAnyway(
		a.getCommand(), a.hasCommand(), a.scanCommand(), a.exportCommand(), a.dumpCommand(), a.statCommand(),
	)...)
	root.AddCommand(a.opensAnyway(a.writes(a.putCommand(), a.delCommand(), a.importCommand(), a.loadCommand())...)...)
	root.AddCommand(a.opens(a.sealCommand())...)
	root.AddCommand(
		a.archiveCommand(), a.backupCommand(),
		a.checkCommand(), a.describeCommand(), a.repairCommand(), a.restoreCommand(), a.snapshotCommand(), a.versionCommand(),
	)
	a.mark(root)
	return root
}

// mark has every command below parent note that it was started.
func (a *app) mark(parent *cobra.Command) {
	for _, c := range parent.Commands() {
		a.mark(c)
		run := c.RunE
		c.RunE = func(cmd *cobra.Command, args []string) error {
			a.started = true
			return run(cmd, args)
		}
	}
}

// knownCommand refuses what is no command, with what may have been meant.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("unknown command %q", args[0])
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		err = fmt.Errorf("%w: did you mean %s?", err, near[0])
	}
	return err
}

// noFiles keeps the shell from completing an argument that is no file.
func noFiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// warn tells of something that does not end the command.
func (a *app) warn(format string, args ...any) {
	if a.bar != nil {
		a.bar.clear()
	}
	fmt.Fprintf(a.errs, "varve: %s\n", oneLine(fmt.Errorf(format, args...)))
}
