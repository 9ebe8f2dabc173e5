package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// otherNames are what other tools call what a command of this name does.
var otherNames = map[string][]string{
	"put":      {"set", "add", "store", "write", "insert", "save"},
	"get":      {"cat", "read", "fetch"},
	"has":      {"exists", "contains"},
	"del":      {"rm", "remove", "delete", "unset", "erase"},
	"scan":     {"ls", "list", "keys", "iterate", "find", "range"},
	"stat":     {"info", "stats", "status"},
	"check":    {"verify", "fsck", "scrub", "doctor"},
	"repair":   {"fix", "heal", "salvage"},
	"snapshot": {"copy", "clone", "cp"},
	"describe": {"inspect"},
	"archive":  {"ship", "replicate", "sync"},
	"seal":     {"flush", "rotate", "roll"},
	"version":  {"ver"},

	// Of groups.
	"list":   {"ls"},
	"create": {"make", "new", "add"},
	"delete": {"rm", "remove", "del"},
	"show":   {"get", "info", "describe", "cat"},
	"run":    {"start", "daemon"},
	"status": {"stat", "info"},
	"prune":  {"gc", "clean", "expire"},
}

// knownCommand refuses what is no command, with what may have been meant.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("unknown command %q", args[0])
	if meant := suggestion(cmd, args[0]); meant != "" {
		err = fmt.Errorf("%w: did you mean %s?", err, meant)
	}
	return err
}

// knownShell refuses a shell that completion has no script for.
func knownShell(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var shells []string
	for _, c := range cmd.Commands() {
		shells = append(shells, c.Name())
	}
	return fmt.Errorf("no completion for the shell %q: want one of %s", args[0], strings.Join(shells, ", "))
}

// suggestion returns the name of the command that a word may mean, or "": another name of
// it, or else the one with the fewest typing errors.
func suggestion(cmd *cobra.Command, word string) string {
	best, least := "", 3
	for _, c := range cmd.Commands() {
		if c.Hidden {
			continue
		}
		if slices.Contains(otherNames[c.Name()], word) {
			return c.Name()
		}
		if d := typingErrors(word, c.Name()); d < least && d < len(word) {
			best, least = c.Name(), d
		}
	}
	return best
}

// flagHint adds to the error of an unknown flag which one may have been meant.
func flagHint(cmd *cobra.Command, err error) error {
	e, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok || e.GetSpecifiedShortnames() != "" {
		return err
	}
	best, least := "", 3
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if d := typingErrors(e.GetSpecifiedName(), f.Name); d < least && d < len(f.Name)-1 {
			best, least = f.Name, d
		}
	})
	if name := e.GetSpecifiedName(); best == "" && (name == "from" || name == "to") && cmd.Flags().Lookup("archive") != nil {
		best = "archive"
	}
	if best == "" {
		return err
	}
	return fmt.Errorf("%w: did you mean --%s?", err, best)
}

// typingErrors counts how many letters have to be put in, left out, replaced or swapped
// with their neighbor to make one word of the other.
func typingErrors(a, b string) int {
	var before []int
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
