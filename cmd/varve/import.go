package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/varve-db/varve/cmd/varve/internal/terminal"
	"github.com/varve-db/varve/cmd/varve/internal/units"
	"github.com/varve-db/varve/store"
)

const importHelp = `Store a tree of files. Each becomes an object: its key is the path below PATH with
slashes, its value the content, its meta a msgpack map of mode (st_mode), mtime
(nanoseconds since 1970) and, of a symbolic link, link (the target). A directory is
an object with an empty value whose key ends in a slash; that of PATH itself is
"./". Symbolic links are kept and never followed, but for PATH. If PATH is a
file, its name is the key. Owners, extended attributes and hard links are not kept.

A file that the store has already, with the same content and meta, is not written
again. Objects under other keys stay. Devices, sockets and pipes are left out with a
word on standard error. A file that cannot be stored (no permission, larger than 1
GiB, changed three times while it was read) is named there; the others are stored,
and the exit code is 5.

` + verboseHelp + `
With --json it ends with a line of objects and bytes (of values) written, seconds,
files, directories, links (of the tree), same (of these, what was there already),
left_out and failed.
Ctrl-C stops after the present batch; import again goes on from there; exit code 130.`

func (a *app) importCommand() *cobra.Command {
	var w writeFlags
	verbose := false
	cmd := &cobra.Command{
		Use:   "import PATH",
		Short: "Store a tree of files as objects",
		Long:  importHelp,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := openTree(args[0])
			if err != nil {
				return err
			}
			ctx, stop := interruptibleAtPipe(cmd.Context())
			defer stop()
			return a.withWriter(w.options(), func(db *store.DB) error {
				im := importer{app: a, intake: a.newIntake(db, w.segmentSize, verbose), ctx: ctx, tree: t}
				return im.run()
			})
		},
	}
	w.register(cmd.Flags())
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "print each key once it is acknowledged")
	return cmd
}

// importer is one run of import.
type importer struct {
	*app
	*intake
	tree
	ctx  context.Context
	self fs.FileInfo // the store's folder, which is not imported into itself
	bar  *terminal.Meter
	buf  []byte // of the file being read

	importCounts
}

type importCounts struct {
	Files       int64 `json:"files"`
	Directories int64 `json:"directories"`
	Links       int64 `json:"links"`
	Same        int64 `json:"same"`
	LeftOut     int64 `json:"left_out"`
	Failed      int64 `json:"failed"`
}

func (im *importer) run() error {
	var err error
	if im.self, err = os.Stat(im.dir); err != nil {
		return err
	}
	if top, err := os.Stat(im.top); err == nil && os.SameFile(top, im.self) {
		return usagef("%s is the store itself, which is not imported into itself", im.top)
	}
	if im.tell == nil && im.watched() {
		im.bar = im.meter("importing", treeSize(im.top))
		defer im.bar.Finish()
	}
	err = im.finish(filepath.WalkDir(im.top, im.visit))
	im.bar.Finish()
	if err != nil {
		return err
	}
	if err := im.report(); err != nil {
		return err
	}
	if im.Failed > 0 {
		return fmt.Errorf("%s of %s could not be stored", count(im.Failed, "file", "files"), im.top)
	}
	return nil
}

// report prints what was done.
func (im *importer) report() error {
	if im.json {
		return writeJSON(im.last(im.app), struct {
			summary
			importCounts
		}{im.summary(), im.importCounts})
	}
	_, err := fmt.Fprintf(im.last(im.app), "imported %s, %s, %s: wrote %s, %s %s; the same already: %d; left out: %d\n",
		count(im.Files, "file", "files"), count(im.Directories, "directory", "directories"),
		count(im.Links, "symbolic link", "symbolic links"),
		count(im.objects, "object", "objects"), units.Human(im.bytes), im.rate(), im.Same, im.LeftOut)
	return err
}

// tree is what is imported: a folder and all below it, or one file.
type tree struct {
	top  string // its path, without symbolic links
	file string // the key, if it is a file; else empty
}

// openTree looks at PATH. A link is followed there, and gives a file its name.
func openTree(path string) (t tree, err error) {
	if path == "" {
		return t, usagef("an empty PATH: name a folder or a file")
	}
	if t.top, err = filepath.EvalSymlinks(path); err != nil {
		return t, &usageError{naming(path, err)}
	}
	info, err := os.Stat(t.top)
	switch {
	case err != nil:
		return t, &usageError{err}
	case info.IsDir():
		return t, nil
	case !info.Mode().IsRegular():
		return t, usagef("%s: is a %s; import takes a folder or a file", path, kindName(info.Mode()))
	}
	t.file = filepath.Base(path)
	return t, nil
}

// treeSize adds up the sizes of the files of a tree, as far as it can.
func treeSize(top string) int64 {
	n := int64(0)
	_ = filepath.WalkDir(top, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				n += info.Size()
			}
		}
		return nil
	})
	return n
}
