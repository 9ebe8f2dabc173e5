package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/varve-db/varve/cmd/varve/internal/table"
	"github.com/varve-db/varve/cmd/varve/internal/units"
	"github.com/varve-db/varve/store"
)

const statHelp = `Open the store read-only, and print what it holds and what the open found: counts,
sizes, memory per key, whether a process has it open for writing, and, after a crash,
what the next open for writing will recover.

` + inPlaceHelp + `
The tables of all segments are read, and bytes are those that a restore fetches.

With --json it prints one object:
  writer   whether a process has the store open for writing
  stats    path, uuid, timeline, objects, last_seq, key_bytes, index_bytes (memory,
           keys included), bytes_per_key (beyond the key's own), live_bytes (records of
           the objects), file_bytes, segments (segment, file, bytes, live_objects,
           live_bytes of each); other fields are those of a writer
  report   of this open: path, uuid, timeline, clean (it was closed in order), asked and
           level (of checks), objects, segments, last_seq, phases (name, records,
           bytes, took_ns), begun, cut (segment, offset, bytes, reason: what recovery
           would cut off), left_alone, notes, lost (the newest log, if
           it is not there), clock (where the clock ran ahead, so that commit times do
           not tell when commits were made: segment, after_seq and after_time, the last
           commit before, last_seq and last_time, the last one of them, and ahead: that
           time is yet to come), took_ns
  point    instead of report, with --archive: seq, time, timeline and, if it was given,
           backup and clock`

// status is what stat prints.
type status struct {
	Writer bool              `json:"writer"`
	Stats  store.Stats       `json:"stats"`
	Report *store.OpenReport `json:"report,omitempty"` // nil: an archive was read
	Point  *archivedPoint    `json:"point,omitempty"`  // nil: a store was read

	plan string // Point for people
}

func (a *app) statCommand() *cobra.Command {
	var from sourceFlags
	cmd := &cobra.Command{
		Use:               "stat",
		Short:             "Show what the store holds and how an open went",
		Long:              statHelp,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from.inArchive(cmd.Flags()) {
				return a.withArchive(cmd, &from, a.statArchive)
			}
			var s status
			err := a.withReader(func(r *store.Reader) (err error) {
				rep := r.OpenReport()
				s.Stats, s.Report = r.Stats(), &rep
				s.Writer, err = writerLives(a.dir)
				return err
			})
			if err != nil {
				return err
			}
			return a.printStat(&s) // after the close: of many segments, the text takes as much memory as the store
		},
	}
	from.register(cmd.Flags())
	return cmd
}

func (a *app) printStat(s *status) error {
	if a.json {
		return a.printJSON(s)
	}
	out := a.page()
	s.print(out)
	return out.Flush()
}

// print writes the status for people.
func (s *status) print(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	st := &s.Stats
	if s.Point != nil {
		fmt.Fprintf(w, "archive\t%s\nuuid\t%v\npoint\t%s\n", st.Path, st.UUID, s.plan)
	} else {
		fmt.Fprintf(w, "store\t%s\nuuid\t%v\ntimeline\t%v\nwriter\t%s\n", st.Path, st.UUID, st.Timeline, s.writer())
	}
	fmt.Fprintf(w, "objects\t%d, last sequence number %d\n", st.Objects, st.LastSeq)
	where := "on disk"
	if s.Point != nil {
		where = "archived"
	}
	fmt.Fprintf(w, "%s\t%s in %s, %s of it live\n",
		where, units.Human(st.FileBytes), count(int64(len(st.Segments)), "segment", "segments"), units.Human(st.LiveBytes))
	fmt.Fprintf(w, "in memory\t%s of index: keys %s, %.1f bytes per key beyond that\n",
		units.Human(st.IndexBytes), units.Human(st.KeyBytes), st.BytesPerKey)
	w.Flush()
	s.printSegments(out)
	if s.Report != nil {
		printReport(out, s.Report)
	}
}

// writer says who has the store open.
func (s *status) writer() string {
	if s.Writer {
		return "a process has it open for writing"
	}
	return "none"
}

func (s *status) printSegments(out io.Writer) {
	if len(s.Stats.Segments) == 0 {
		return
	}
	fmt.Fprintln(out)
	t := table.New("segment", "size", "live objects", "live bytes")
	t.Right = true
	for _, g := range s.Stats.Segments {
		t.Row(filepath.Base(g.File), units.Human(g.Bytes), g.Live, units.Human(g.LiveBytes))
	}
	t.Write(out)
}

// printReport writes an open's report for people.
func printReport(out io.Writer, r *store.OpenReport) {
	how := "closed in order"
	if !r.Clean {
		how = "not closed in order"
	}
	fmt.Fprintf(out, "\nopened in %s, checked at level %v; the store was %s\n", r.Took.Round(time.Microsecond), r.Level, how)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, p := range r.Phases {
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", p.Name, count(p.Records, "record", "records"), units.Human(p.Bytes), p.Took.Round(time.Microsecond))
	}
	w.Flush()
	if b := r.Begun; b != nil {
		fmt.Fprintf(out, "  timeline %v begun on %v at sequence number %d: %s\n", b.Timeline, b.Parent, b.ParentSeq, b.Why)
	}
	if c := r.Cut; c != nil {
		fmt.Fprintf(out, "  log %v: %d bytes from offset %d on belong to no whole write: %s\n", c.Segment, c.Bytes, c.Offset, c.Reason)
	}
	for _, f := range r.Findings {
		fmt.Fprintf(out, "  %s: %s at offset %d: %s\n", filepath.Base(f.File), f.Kind, f.Offset, f.Reason)
	}
	if len(r.LeftAlone) > 0 {
		fmt.Fprintf(out, "  left alone: %s\n", strings.Join(r.LeftAlone, ", "))
	}
	for i := range r.Clock {
		fmt.Fprintf(out, "  %v (--at-seq in place of --at)\n", &r.Clock[i])
	}
	for _, n := range r.Notes {
		fmt.Fprintf(out, "  %s\n", n)
	}
}
