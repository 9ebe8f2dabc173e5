package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/varve-db/varve/cmd/varve/internal/quote"
	"github.com/varve-db/varve/cmd/varve/internal/table"
	"github.com/varve-db/varve/cmd/varve/internal/terminal"
	"github.com/varve-db/varve/cmd/varve/internal/units"
	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/integrity/check"
	"github.com/varve-db/varve/internal/vfs"
	"github.com/varve-db/varve/segment"
)

const checkHelp = `Check the files of the store, and change nothing. It works beside a process that has the
store open for writing, and goes on past whatever it finds.

--integrity says how much is read:
  none   headers, tables, and the heads of the newest log's records
  tail   also the values at the end of the newest log
  log    also all other values of the newest log; taken by itself if the store was not
         closed in order
  full   every byte: each record of each segment, each table against its records both
         ways, the hash of each sealed file; also of segments that left the store's set

--sample 5% reads that share of the sealed segments whole, chosen at random, and of the
others what log reads. It says how much damage it would have met.

Each finding names the segment's file, the offset, what is wrong, the keys and sequence
numbers touched, since when the segment is known to have been whole (its last scrub, or
else its seal), and the next command to run. What is worth knowing and not wrong is a
note: a torn tail after a crash, another file mode, files that are not the store's, a clock
that ran ahead, with the sequence numbers (--at-seq) that replace a time (--at) there.
The exit code is 0, or 3 with findings.

With --json it prints one object: path, uuid, timeline, writer (a process has it open for
writing), clean (it was closed in order), asked and level, segments (of the store), files
(sealed segments there are), whole (of these, read whole), records, bytes (read),
last_seq, took_ns, seed (of the sample), confidence (read of so many segments;
probability with which damage in that share of them would have been met), and
  findings  kind, segment (timeline/id), file, offset, reason, keys (base64), first_seq
            and last_seq (0: none known), good (when last known to be whole), next
  notes     file, text
Kinds are: damaged header, damaged record, damaged table, wrong table (sound by its
checksums, and not that of the records), wrong digest (every part checks, and the file is
not the one that was sealed), damaged log, missing segment, lost log, contradiction,
newer version, unreadable.`

// shareFlag is a share as a flag: 5% or 0.05.
type shareFlag float64

func (s *shareFlag) Set(v string) error {
	digits, percent := strings.CutSuffix(v, "%")
	x, err := strconv.ParseFloat(digits, 64)
	if percent {
		x /= 100
	}
	if err != nil || !(x > 0 && x <= 1) {
		return fmt.Errorf("want a share above 0 and at most all, such as 5%%")
	}
	*s = shareFlag(x)
	return nil
}

func (s *shareFlag) String() string { return strconv.FormatFloat(100*float64(*s), 'g', 6, 64) + "%" }
func (s *shareFlag) Type() string   { return "share" }

func (a *app) checkCommand() *cobra.Command {
	level := levelFlag{integrity.Full}
	share := shareFlag(1)
	var rate units.Rate
	c := &cobra.Command{
		Use:               "check",
		Short:             "Look for damage in the store's files",
		Long:              checkHelp,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
	}
	f := c.Flags()
	f.Var(&level, "integrity", "how much is read")
	f.Var(&rate, "rate", "most bytes read a second, such as 200MB/s; 0: no bound")
	f.Var(&share, "sample", "share of the sealed segments that is read whole, such as 5%")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if share < 1 && level.Level != integrity.Full {
			return usagef("--sample needs --integrity full: at %v no sealed segment is read whole", level.Level)
		}
		ctx, stop := interruptibleAtPipe(cmd.Context())
		defer stop()
		dir, err := a.place()
		if err != nil {
			return err
		}
		var bar *terminal.Meter
		r, err := check.Run(ctx, vfs.AsFS(vfs.Dir(dir)), check.Options{
			Level: level.Level, Sample: float64(share), Rate: int64(rate),
			Writer: func() (bool, error) { return writerLives(dir) },
			Progress: func(n, total int64) {
				if bar == nil {
					bar = a.meter("check", total)
				}
				bar.Add(n)
			},
		})
		bar.Finish()
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("%w; the check was not finished", context.Cause(ctx))
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
			return usagef("%w; -d names another folder", err)
		case err != nil:
			return nextStep(err)
		}
		return a.printCheck(r)
	}
	return c
}

// printCheck prints the report, and makes an error of findings.
func (a *app) printCheck(r *check.Report) error {
	putCommands(a.dir, r.UUID, r.Findings)
	if a.json {
		if err := a.printJSON(r); err != nil {
			return err
		}
	} else {
		out := a.page()
		writeCheck(out, r)
		if err := out.Flush(); err != nil {
			return err
		}
	}
	if n := int64(len(r.Findings)); n > 0 {
		return fmt.Errorf("%s: %s: %w", r.Path, count(n, "finding", "findings"), errDamage)
	}
	return nil
}

// writeCheck writes the report for people.
func writeCheck(out io.Writer, r *check.Report) {
	fmt.Fprintf(out, "%s: checked at level %v in %s: %s, %s and %s read, last sequence number %d\n", r.Path, r.Level,
		r.Took.Round(time.Microsecond), count(int64(r.Segments), "segment", "segments"), units.Human(r.Bytes), count(r.Records, "record", "records"), r.LastSeq)
	if c := r.Confidence; c != nil {
		fmt.Fprintf(out, "%s\n", c)
	}
	if r.Seed != nil {
		fmt.Fprintf(out, "the sample was drawn by seed %d\n", *r.Seed)
	}
	if len(r.Findings) == 0 {
		fmt.Fprintln(out, "no findings")
	} else {
		writeFindings(out, r.Findings)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(out, "note: %s: %s\n", filepath.Base(n.File), n.Text)
	}
}

// writeFindings writes a table, and below it what does not fit into one.
func writeFindings(out io.Writer, list []integrity.Finding) {
	fmt.Fprintln(out)
	t := table.New("#", "segment", "offset", "what", "keys", "numbers", "good", "next")
	for i := range list {
		f := &list[i]
		t.Row(i+1, fileOf(f), f.Offset, f.Kind, someKeys(f.Keys), numbers(f), since(f.Good), f.Next)
	}
	t.Write(out)
	fmt.Fprintln(out)
	advised := false
	for i := range list {
		fmt.Fprintf(out, "%d: %s\n", i+1, list[i].Reason)
		advised = advised || strings.HasSuffix(string(list[i].Next), " COPY")
	}
	if advised {
		fmt.Fprintln(out, "COPY is the folder of another copy of the store, or the URL of its archive; where there is none, varve repair --salvage DEST saves what can be read.")
	}
	fmt.Fprintln(out)
}

// fileOf names the file of a finding, or else its segment.
func fileOf(f *integrity.Finding) string {
	if f.File != "" {
		return filepath.Base(f.File)
	}
	if f.Segment == (segment.Ref{}) {
		return "-"
	}
	return f.Segment.String()
}

// someKeys writes the first key, and how many more there are.
func someKeys(keys [][]byte) string {
	if len(keys) == 0 {
		return "-"
	}
	const most = 40
	k := keys[0]
	s := quote.Show(k)
	if len(k) > most {
		s = quote.Show(k[:most]) + "…"
	}
	if n := len(keys) - 1; n > 0 {
		s += fmt.Sprintf(" and %d more", n)
	}
	return s
}

func numbers(f *integrity.Finding) string {
	switch {
	case f.FirstSeq == 0:
		return "-"
	case f.FirstSeq == f.LastSeq:
		return strconv.FormatUint(f.FirstSeq, 10)
	case f.LastSeq < f.FirstSeq: // nobody knows how many
		return fmt.Sprintf("from %d on", f.FirstSeq)
	}
	return fmt.Sprintf("%d–%d", f.FirstSeq, f.LastSeq)
}

// since writes when a segment was last known to be whole.
func since(t time.Time) string {
	if t.IsZero() {
		return "unknown"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}
