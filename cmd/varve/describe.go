package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/varve-db/varve/segment"
)

func (a *app) describeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "describe FILE",
		Short: "Show what a segment file holds, part by part",
		Long: `Show header, records and footer of a segment file, each with its offset and with
what its checksums say. It goes on past damage, which makes the exit code 3.

With --json each part is a line: offset, size, what (header, record, footer, block,
damage), problem (what does not check), and a field of that name with its details.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) (err error) {
			f, err := os.Open(args[0])
			if err != nil {
				return &usageError{err}
			}
			defer f.Close()
			info, err := f.Stat()
			if err != nil {
				return err
			}
			if !info.Mode().IsRegular() {
				return usagef("%s: is no plain file", args[0])
			}
			return a.describe(f, info.Size())
		},
	}
}

// describe prints the parts of a file, and reports damage as an error.
func (a *app) describe(f *os.File, size int64) error {
	if size == 0 {
		return a.describeEmpty()
	}
	if _, err := segment.NewReader(f, size); errors.Is(err, segment.ErrVersion) {
		return fmt.Errorf("%s: %w", f.Name(), nextStep(err))
	}
	out := bufio.NewWriterSize(a.out, 64<<10)
	if !a.json {
		if err := segment.Describe(out, f, size); err != nil {
			return err
		}
	}
	problems := int64(0)
	for x, err := range segment.Dump(f, size) {
		if err != nil {
			return errors.Join(fmt.Errorf("%s: %w", f.Name(), err), out.Flush())
		}
		if x.Problem != "" {
			problems++
		}
		if a.json {
			if err := writeJSON(out, x); err != nil {
				return err
			}
		}
	}
	if err := out.Flush(); err != nil || problems == 0 {
		return err
	}
	return fmt.Errorf("%s: %s: %w", f.Name(), count(problems, "part does not check", "parts do not check"), errDamage)
}

// describeEmpty is for the file that a store keeps reserved for its next log.
func (a *app) describeEmpty() error {
	if a.json {
		return nil
	}
	_, err := fmt.Fprintln(a.out, "empty: a log that is not begun")
	return err
}
