package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/varve-db/varve/cmd/varve/internal/terminal"
	"github.com/varve-db/varve/cmd/varve/internal/units"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/store"
)

const exportHelp = `Write all objects as files below DEST, which is made and must not have content. When
it ends they are on the disk.
What import stored comes back with mode, modification time and links; the value of
any other object becomes a plain file with mode 0644.

Keys are paths. One that would not lie below DEST (absolute, with an element that is
empty, "." or "..", with a NUL), that has an element of more than 255 bytes, or that would
be both a file and a directory, is refused, and nothing is written; with --skip the others
are, and the exit code is 2. What only the file system of DEST refuses (names that differ
only in case, a link to a target that is empty or too long) ends the export where it
stands, with exit code 2; with --skip it is left out.

With --json it ends with a line of files, directories, links, bytes, seconds and
refused.
Ctrl-C stops, and leaves what was written in DEST; exit code 130.

` + inPlaceHelp

func (a *app) exportCommand() *cobra.Command {
	e := exporter{app: a}
	var from sourceFlags
	cmd := &cobra.Command{
		Use:   "export DEST",
		Short: "Write all objects as files",
		Long:  exportHelp,
		Args:  cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			until := interruptibleAtPipe
			if from.inArchive(cmd.Flags()) {
				until = interruptible
			}
			ctx, stop := until(cmd.Context())
			defer stop()
			e.ctx, e.dest = ctx, args[0]
			return a.withObjects(cmd, &from, e.run)
		},
	}
	cmd.Flags().BoolVar(&e.skip, "skip", false, "leave out what cannot be a file, instead of writing nothing")
	from.register(cmd.Flags())
	return cmd
}

// exporter is one run of export.
type exporter struct {
	*app
	ctx  context.Context
	dest string
	skip bool
	root *os.Root
	bar  *terminal.Meter
	dirs []dirAttrs // to be set last, in the order of their keys
	bad  map[string]bool

	exportCounts
}

type exportCounts struct {
	Files       int64   `json:"files"`
	Directories int64   `json:"directories"`
	Links       int64   `json:"links"`
	Bytes       int64   `json:"bytes"`
	Seconds     float64 `json:"seconds"`
	Refused     int64   `json:"refused"`
}

func (e *exporter) run(db objects) error {
	start := time.Now()
	if err := emptyDir(e.dest); err != nil {
		return err
	}
	if err := e.plan(db); err != nil {
		return err
	}
	e.bar = e.meter("exporting", db.liveBytes())
	defer e.bar.Finish()
	err := e.write(db)
	e.bar.Finish()
	e.Seconds = time.Since(start).Seconds()
	if err != nil {
		return fmt.Errorf("%w; written to %s up to there: %s", err, e.dest, count(e.Files, "file", "files"))
	}
	if err := e.report(); err != nil {
		return err
	}
	if e.Refused > 0 {
		e.tellMore()
		return usagef("%s left out", count(e.Refused, "key that cannot be a file was", "keys that cannot be files were"))
	}
	return nil
}

func (e *exporter) report() error {
	if e.json {
		return e.printJSON(e.exportCounts)
	}
	_, err := fmt.Fprintf(e.out, "exported %s, %s, %s, %s to %s in %s (%s/s)\n",
		count(e.Files, "file", "files"), count(e.Directories, "directory", "directories"),
		count(e.Links, "symbolic link", "symbolic links"), units.Human(e.Bytes), e.dest,
		time.Duration(e.Seconds*float64(time.Second)).Round(time.Millisecond), units.Human(float64(e.Bytes)/e.Seconds))
	return err
}

// emptyDir refuses a destination that is there and not an empty folder.
func emptyDir(dest string) error {
	info, err := os.Stat(dest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return usagef("%s: is a file; export makes a folder", dest)
	}
	names, err := os.ReadDir(dest)
	if err != nil {
		return err
	}
	if len(vfs.Content(names)) > 0 {
		return usagef("%s: has content; export into a new folder", dest)
	}
	return nil
}

// write writes all objects, and last what directories have of attributes.
func (e *exporter) write(db objects) (err error) {
	if err := os.MkdirAll(e.dest, 0o755); err != nil {
		return destError(err)
	}
	if e.root, err = os.OpenRoot(e.dest); err != nil {
		return destError(err)
	}
	defer func() { err = errors.Join(err, e.root.Close()) }()
	bad := damages{app: e.app}
	for o, err := range db.Scan(store.Range{}) {
		if e.ctx.Err() != nil {
			return context.Cause(e.ctx)
		}
		if err != nil {
			if err := bad.note(err); err != nil {
				return err
			}
			continue
		}
		if e.bad[string(o.Key)] {
			continue
		}
		if err := e.object(&o); e.skip && errors.Is(err, errNoFile) {
			e.refuse(o.Key, err)
		} else if err != nil {
			return fmt.Errorf("key %q: %w", o.Key, err)
		}
		e.bar.Add(weight(&o))
	}
	if err := e.finishDirs(); err != nil {
		return destError(err)
	}
	// All names and bytes at once, before it is said that they were written: the store may
	// be removed after that.
	return errors.Join(destError(vfs.SyncAll(e.dest)), bad.err())
}
