package main

import (
	"fmt"
	"log/slog"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/varve-db/varve/cmd/varve/internal/terminal"
	"github.com/varve-db/varve/cmd/varve/internal/when"
)

// app is what the commands share: the streams and the flags that all of them take.
type app struct {
	in, errs *os.File
	out      *output
	dir      string
	json     bool
	trust    trust
	started  bool            // a command runs: its errors are not those of its usage
	bar      *terminal.Meter // what warnings have to make room for, or nil
	log      *slog.Logger    // takes warnings and the last error in place of errs; nil: none
}

// root is the command tree.
func (a *app) root() *cobra.Command {
	version := false
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
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.started = true
			if version {
				return a.version()
			}
			return cmd.Help()
		},
	}
	root.SetOut(a.out)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return flagHint(cmd, err) })
	root.Flags().BoolVar(&version, "version", false, "print the versions of program and format")
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
	root.SetHelpCommand(helpCommand())
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	if c, _, err := root.Find([]string{"completion"}); err == nil {
		c.Args, c.RunE = knownShell, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	a.mark(root)
	return root
}

// helpCommand is varve help.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Print the manual of a command",
		Long:  "Print the manual of a command, as COMMAND --help does.",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err == nil && len(rest) > 0 {
				err = knownCommand(about, rest)
			}
			if err != nil {
				return usagef("%w; see %s --help", err, cmd.Root().Name())
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

// takesEmpty are the commands that look at empty arguments themselves: values may be empty,
// and keys are told how long they must be.
var takesEmpty = map[string]bool{"put": true, "get": true, "has": true, "del": true}

// mark has every command below parent note that it was started, and say in its help what its
// durations are.
func (a *app) mark(parent *cobra.Command) {
	for _, c := range parent.Commands() {
		a.mark(c)
		if takesSpans(c) {
			c.Long += "\n\n" + when.SpanHelp
		}
		run := c.RunE
		c.RunE = func(cmd *cobra.Command, args []string) error {
			a.started = true
			if i := slices.Index(args, ""); i >= 0 && !takesEmpty[cmd.Name()] {
				return usagef("argument %d is empty; if it is a variable, it is not set; see %s --help", i+1, cmd.CommandPath())
			}
			return run(cmd, args)
		}
	}
}

// noFiles keeps the shell from completing an argument that is no file.
func noFiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// warn tells of something that does not end the command.
func (a *app) warn(format string, args ...any) {
	if a.bar != nil {
		a.bar.Clear()
	}
	if a.log != nil {
		a.log.Warn(oneLine(fmt.Errorf(format, args...)))
		return
	}
	fmt.Fprintf(a.errs, "varve: %s\n", oneLine(fmt.Errorf(format, args...)))
}

// takesSpans reports whether a command has a flag of a duration.
func takesSpans(c *cobra.Command) (takes bool) {
	c.Flags().VisitAll(func(f *pflag.Flag) {
		_, span := f.Value.(*when.Span)
		_, sync := f.Value.(*syncFlag)
		takes = takes || span || sync
	})
	return takes
}
