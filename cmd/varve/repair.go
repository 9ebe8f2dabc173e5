package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/varve-db/varve/cmd/varve/internal/table"
	"github.com/varve-db/varve/cmd/varve/internal/units"
	"github.com/varve-db/varve/integrity/repair"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
	"github.com/varve-db/varve/store"
)

const repairHelp = `Heal the files of the store. All of it is read; nothing may have it open for writing.

What the store holds itself is enough to rebuild a damaged table from sound records, to
give files their names and modes, to set aside a file that is there twice, and to cut off
the torn tail that a crash left. Everything else needs --from: the folder of another
copy of the store, or of a part of it, whole or damaged elsewhere, or the URL of its
archive. A segment is taken from there byte for byte, once its checksums, its SHA-256 and
its header prove that it is the same; of the newest log what the copy has, and behind it
what only the store's own file has.

Nothing is deleted. What another file takes the place of goes to the folder quarantine, with
a description beside it. Interrupted anywhere, repair can be run again.
What cannot be healed stays as it is, is listed with the next command to run, and makes
the exit code 3. A file of a newer format is never touched.

--dry-run prints what would be done, and changes nothing.

--salvage DEST changes nothing either, and writes all objects that can be read to a new
store DEST, which must be absent, and what cannot be read to DEST.lost.json. A key whose newest version is lost
is not written, whatever old version there is. DEST is there when all is in it: until then
it is called DEST.part. The exit code is 3 if objects or deletions are lost.
Meta and kind of content are kept, sequence numbers are given anew; objects that have
expired are left out, and those yet to expire lose that time and their slots.

With --json repair prints one object:
  path, uuid, from, files and bytes (read in full)
  steps   action (take copy, join copy, rebuild table, rename, set aside, set mode, cut
          torn tail), file, to (the name it gets), segment (timeline/id), reason, source,
          kept (where the old file is now), done
  left    what could not be healed: kind, segment, file, offset, reason, keys (base64),
          first_seq, last_seq, good, next (command to run)
  notes   file, text
and with --salvage, in place of DEST.lost.json:
  path, uuid, dest, objects and bytes (written), numbers (sequence numbers found),
  lost_numbers, last_seq (found), lost_objects (keys whose newest version is lost),
  may_be_stale (objects written of which a newer version may be lost), expired,
  without_expiry, without_slots
  lost    kind (put, records: keys unknown, control: no objects, segment), segment, file,
          offset, bytes, key (as a Go string) and key_b64, first_seq and last_seq (absent:
          unknown, or none), reason, newest (no newer version of the key was found), older
          (the version before: segment, file, offset, bytes, seq)
  stale   the objects of may_be_stale: key, key_b64, seq
  notes   file, text`

// repairFlags are the flags of repair.
type repairFlags struct {
	dryRun  bool
	from    string
	salvage string
}

func (a *app) repairCommand() *cobra.Command {
	var f repairFlags
	c := &cobra.Command{
		Use:               "repair",
		Short:             "Heal the store's files, or save what can be read",
		Long:              repairHelp,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			dir, err := a.place()
			if err != nil {
				return err
			}
			if f.salvage != "" {
				if f.from != "" {
					return usagef("--from heals the store, --salvage leaves it as it is: give one of them")
				}
				err = a.salvage(ctx, dir, &f)
			} else {
				err = a.repair(ctx, dir, &f)
			}
			if ctx.Err() != nil && f.salvage == "" {
				return fmt.Errorf("%w; run it again, it goes on where it was", context.Cause(ctx))
			}
			return repairError(err)
		},
	}
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "only print what would be done")
	c.Flags().StringVar(&f.from, "from", "", "the folder of another copy of the store, or the URL of its archive")
	c.Flags().StringVar(&f.salvage, "salvage", "", "write what can be read to a new store in this folder")
	for _, name := range []string{"from", "salvage"} {
		_ = c.MarkFlagDirname(name) // for the shell alone
	}
	return c
}

// repairError adds the next step.
func repairError(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return usagef("%w; -d names the store", err)
	}
	return nextStep(err)
}

// repair heals the store in dir, or prints how it would.
func (a *app) repair(ctx context.Context, dir string, f *repairFlags) error {
	o := repair.Options{}
	if f.from != "" {
		d, err := a.donor(ctx, f.from, dir)
		if err != nil {
			return err
		}
		o.From = d
	}
	bar := a.meter("reading", sizeOf(dir))
	o.Progress = bar.Add
	work := repair.Run
	if f.dryRun {
		work = repair.MakePlan
	}
	p, err := work(ctx, vfs.Dir(dir), o)
	bar.Finish()
	if p == nil {
		return err
	}
	if err == nil && !f.dryRun && p.Torn() && len(p.Left) == 0 {
		err = a.cutTail(dir, p)
	}
	return errors.Join(err, a.printRepair(p, f))
}

// donorAt returns the copy of the store in dir that is in the folder from.
func donorAt(from, dir string) (repair.Donor, error) {
	info, err := os.Stat(from)
	if err != nil {
		return nil, &usageError{err}
	}
	if !info.IsDir() {
		return nil, usagef("%s: is no folder", from)
	}
	if own, err := os.Stat(dir); err == nil && os.SameFile(own, info) {
		return nil, usagef("--from %s: that is the store itself; name another copy of it", from)
	}
	return repair.FolderDonor(os.DirFS(from), from), nil
}

// sizeOf returns the bytes of all segment files in a folder, -1 if that is not known.
func sizeOf(dir string) (n int64) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return -1
	}
	for _, e := range list {
		if _, _, ok := segment.SegmentFile(e); !ok {
			continue
		}
		if info, err := e.Info(); err == nil {
			n += info.Size()
		}
	}
	return n
}

// cutTail has the torn tail cut, as every open for writing does.
func (a *app) cutTail(dir string, p *repair.Plan) error {
	db, err := store.Open(dir, &store.Options{MustExist: true})
	if err != nil {
		return err
	}
	r := db.OpenReport()
	for i := range p.Steps {
		if s := &p.Steps[i]; s.Action == repair.CutTail {
			if s.Done = true; r.Cut != nil {
				s.Kept = filepath.Base(r.Cut.Kept)
			}
		}
	}
	return db.Close()
}

// printRepair prints what was done, or would be, and makes an error of what is left.
func (a *app) printRepair(p *repair.Plan, f *repairFlags) error {
	putCommands(a.dir, p.UUID, p.Left)
	if a.json {
		if err := a.printJSON(p); err != nil {
			return err
		}
	} else {
		out := a.page()
		writeRepair(out, p, f)
		if err := out.Flush(); err != nil {
			return err
		}
	}
	if n := int64(len(p.Left)); n > 0 {
		return fmt.Errorf("%s: %s left: %w", p.Path, count(n, "finding is", "findings are"), errDamage)
	}
	return nil
}

// writeRepair writes the plan for people.
func writeRepair(out io.Writer, p *repair.Plan, f *repairFlags) {
	fmt.Fprintf(out, "%s: %s, %s read\n", p.Path, count(int64(p.Files), "file", "files"), units.Human(p.Bytes))
	switch {
	case len(p.Steps) == 0 && len(p.Left) == 0:
		fmt.Fprintln(out, "nothing to do")
	case len(p.Steps) > 0:
		writeSteps(out, p.Steps, f.dryRun)
	}
	if len(p.Left) > 0 {
		fmt.Fprint(out, "\nThis cannot be healed with what is at hand, and stays as it is:\n")
		writeFindings(out, p.Left)
	}
	for _, n := range p.Notes {
		if n.File == "" {
			fmt.Fprintf(out, "note: %s\n", n.Text)
			continue
		}
		fmt.Fprintf(out, "note: %s: %s\n", n.File, n.Text)
	}
}

func writeSteps(out io.Writer, steps []repair.Step, dryRun bool) {
	fmt.Fprintln(out)
	last := "old file kept as"
	if dryRun {
		last = "to be done"
	}
	t := table.New("#", "file", "action", "from", last)
	for i := range steps {
		s := &steps[i]
		end := s.Kept
		switch {
		case dryRun:
			end = "yes"
		case !s.Done:
			end = "not done"
		case end == "":
			end = "-"
		}
		t.Row(i+1, stepFile(s), s.Action, orDash(s.Source), end)
	}
	t.Write(out)
	fmt.Fprintln(out)
	for i := range steps {
		fmt.Fprintf(out, "%d: %s\n", i+1, steps[i].Reason)
	}
}

// stepFile names the file of a step, and what it becomes.
func stepFile(s *repair.Step) string {
	switch {
	case s.File == "" && s.To != "":
		return s.To
	case s.File == "":
		return segmentName(s.Segment)
	case s.To != "":
		return s.File + " → " + s.To
	}
	return s.File
}

func segmentName(ref segment.Ref) string {
	if ref == (segment.Ref{}) {
		return "-"
	}
	return ref.String()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
