package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"
)

func (d *demo) export() error {
	say("export")
	start := time.Now()
	out, err := d.varveOut("export", d.dest)
	if err != nil {
		return err
	}
	fmt.Print(out)
	d.done(start, "export", "%s, %s", mib(d.bytes), rate(d.bytes, time.Since(start)))
	return nil
}

// prove compares the two trees: by type, mode, time and target of each
// entry, and byte for byte.
func (d *demo) prove() error {
	say("does anything differ?")
	start := time.Now()
	if err := d.sameListing(); err != nil {
		return err
	}
	if _, err := exec.LookPath("diff"); err == nil {
		fmt.Println("$ diff -r", d.source, "out")
		if out, err := exec.CommandContext(d.ctx, "diff", "-r", d.source, d.dest).CombinedOutput(); err != nil {
			return fmt.Errorf("diff -r: %w\n%s", err, out)
		}
	}
	if err := d.sameContent(); err != nil {
		return err
	}
	fmt.Printf("nothing differs: %d entries, %s\n", d.total, mib(d.bytes))
	d.done(start, "comparison", "0 differences in %d entries, %s", d.total, mib(d.bytes))
	return nil
}

// sameListing compares the listings of GNU find, or else of this program.
func (d *demo) sameListing() error {
	list := d.findListing
	if exec.CommandContext(d.ctx, "find", d.dest, "-maxdepth", "0", "-printf", "%P").Run() != nil {
		list = walkListing
	} else {
		fmt.Printf("$ find . -printf %q, here and there\n", listing)
	}
	want, err := list(d.source)
	if err != nil {
		return err
	}
	got, err := list(d.dest)
	if err != nil {
		return err
	}
	if len(want) != d.total {
		return fmt.Errorf("%d entries in the source, and there were %d", len(want), d.total)
	}
	if !slices.Equal(want, got) {
		for _, l := range want {
			if _, ok := slices.BinarySearch(got, l); !ok {
				return fmt.Errorf("the export lacks, or has otherwise: %q", l)
			}
		}
		return errors.New("the export has more than the source")
	}
	return nil
}

// listing is what GNU find prints of each entry: path, type, mode, time, target.
const listing = `%P %y %m %T@ %l\0`

// findListing is one entry for each file, sorted.
func (d *demo) findListing(dir string) ([]string, error) {
	cmd := exec.CommandContext(d.ctx, "find", ".", "-printf", listing)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("find: %w", err)
	}
	var list []string
	for e := range bytes.SplitSeq(bytes.TrimSuffix(out, []byte{0}), []byte{0}) {
		list = append(list, string(e))
	}
	slices.Sort(list)
	return list, nil
}

// walkListing says the same where there is no GNU find.
func walkListing(dir string) ([]string, error) {
	var list []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		link := ""
		if info.Mode()&fs.ModeSymlink != 0 {
			if link, err = os.Readlink(path); err != nil {
				return err
			}
		}
		list = append(list, fmt.Sprintf("%s %v %d %s", path[len(dir):], info.Mode(), info.ModTime().UnixNano(), link))
		return nil
	})
	slices.Sort(list)
	return list, err
}

// sameContent compares all files byte for byte.
func (d *demo) sameContent() error {
	return filepath.WalkDir(d.source, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		want, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		got, err := os.ReadFile(filepath.Join(d.dest, path[len(d.source):]))
		if err == nil && !bytes.Equal(want, got) {
			err = fmt.Errorf("%s differs", path)
		}
		return err
	})
}

// table says what was done and how fast.
func (d *demo) table() {
	say("summary")
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, r := range d.rows {
		fmt.Fprintf(w, "%s\t%8.3f s\t%s\n", r.what, r.took.Seconds(), r.result)
	}
	w.Flush()
}
