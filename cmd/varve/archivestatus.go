package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/cmd/varve/internal/units"
	"github.com/varve-db/varve/cmd/varve/internal/when"
	"github.com/varve-db/varve/internal/vfs"
)

const archiveStatusHelp = `Show how far the shipping to each archive is: by the segments and the receipts that are
there now, and by what the archiver last said of itself; whether an archiver runs, and
whether the store opens for writing. No archive is asked. The exit code is 3 if there is an
alarm, if "archive run" ended without having been told to, or with --max-lag if a commit has
been waiting for longer: in a sealed segment, or in a log that is not sealed.

With --json it prints one object: store, written (when the archiver last said something),
targets (url, id, looked, receipts, backlog_segments, backlog_bytes, oldest_unshipped:
segment and age_ns, last_success, error, alarm: kind, message, since; counts since
the archiver began: shipped, bytes, found, failures; archived_through: all commits up to then are
there; archiver: service, pid, host, began, ended, unlocked; running), damaged (file, reason,
since), alarms about the store, last_drill, unsealed: the oldest log that is not sealed and
holds objects, segment and age_ns.`

func (a *app) archiveStatusCommand() *cobra.Command {
	var state string
	var maxLag time.Duration
	c := &cobra.Command{
		Use:               "status -d DIR",
		Short:             "Show how far shipping is",
		Long:              archiveStatusHelp,
		Args:              cobra.NoArgs,
		ValidArgsFunction: noFiles,
		RunE: func(*cobra.Command, []string) error {
			dir, err := a.storeFolder()
			if err != nil {
				return err
			}
			receipts, err := receiptsFolder(dir, state)
			if err != nil {
				return err
			}
			s, err := archiver.ReadStatus(vfs.AsFS(vfs.Dir(dir)), receipts)
			if errors.Is(err, fs.ErrNotExist) {
				return usagef("no archiver has been at work on %s: %w; see varve archive run and once, and --state", dir, err)
			}
			if err != nil {
				return nextStep(err)
			}
			if err := a.printStatus(&s); err != nil {
				return err
			}
			return a.statusError(&s, maxLag)
		},
	}
	c.Flags().StringVar(&state, "state", "", "the folder given to run and once as --state (default DIR/receipts)")
	when.SpanVar(c.Flags(), &maxLag, "max-lag", 0, "age of a commit that is not archived from which on it is a finding; 0: any")
	return c
}

// statusError is the error for what is wrong. What the status itself shows is not said
// again.
func (a *app) statusError(s *archiver.Status, maxLag time.Duration) error {
	all := s.Problems(maxLag)
	if len(all) == 0 {
		return nil
	}
	err := fmt.Errorf("%w: %s", errAlarm, count(int64(len(all)), "reason", "reasons"))
	for _, p := range s.Late(maxLag) {
		err = fmt.Errorf("%w; %s", err, p)
	}
	return err
}

// errAlarm is wrapped by the error of a status that is not good.
var errAlarm = errors.New("somebody should look")

func (a *app) printStatus(s *archiver.Status) error {
	if a.json {
		return a.printJSON(s)
	}
	out := bufio.NewWriter(a.out)
	fmt.Fprintf(out, "store %v, as the archiver found it %v ago\n", s.Store, ago(s.Written))
	for i := range s.Targets {
		writeTarget(out, &s.Targets[i])
	}
	if s.Unsealed.Age > 0 {
		fmt.Fprintf(out, "\nnot sealed, and so not archived: commits of %v ago and later, in log %v\n", s.Unsealed.Age.Round(time.Second), s.Unsealed.Segment)
	}
	if !s.Drill.IsZero() {
		fmt.Fprintf(out, "\nlast restore drill %v ago\n", ago(s.Drill))
	}
	for _, d := range s.Damaged {
		fmt.Fprintf(out, "\nnot shipped, for %v: %s: %s\n", ago(d.Since), d.File, d.Reason)
	}
	for _, t := range s.Alarms {
		fmt.Fprintf(out, "\nalarm, for %v: %s: %s\n", ago(t.Since), t.Kind, t.Message)
	}
	return out.Flush()
}

func writeTarget(out io.Writer, t *archiver.TargetStatus) {
	fmt.Fprintf(out, "\n%s\n", t.URL)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	defer w.Flush()
	if t.ID == "" {
		fmt.Fprintf(w, "  archive\tnot reached yet\n")
	} else {
		fmt.Fprintf(w, "  archive\t%s\n", t.ID)
		fmt.Fprintf(w, "  receipts\t%s\n", count(int64(t.Receipts), "segment", "segments"))
	}
	if t.ID != "" || t.Segments > 0 {
		fmt.Fprintf(w, "  backlog\t%s, %s\n", count(int64(t.Segments), "segment", "segments"), units.Human(t.Bytes))
	}
	if t.Segments > 0 {
		fmt.Fprintf(w, "  oldest\t%v, %v old\n", t.Oldest.Segment, t.Oldest.Age.Round(time.Second))
	}
	if !t.Through.IsZero() {
		fmt.Fprintf(w, "  archived up to\t%v ago\n", ago(t.Through))
	}
	if !t.Last.IsZero() {
		fmt.Fprintf(w, "  last shipped\t%v ago\n", ago(t.Last))
	}
	fmt.Fprintf(w, "  looked after\t%v ago\n", ago(t.Looked))
	fmt.Fprintf(w, "  archiver\t%s\n", workerLine(t))
	if t.Error != "" && t.Alarm == nil {
		fmt.Fprintf(w, "  last error\t%s\n", oneLine(errors.New(t.Error)))
	}
	if t.Alarm != nil {
		fmt.Fprintf(w, "  ALARM\t%s, for %v: %s\n", t.Alarm.Kind, ago(t.Alarm.Since), alarmText(t.URL, t.Alarm.Kind, oneLine(errors.New(t.Alarm.Message))))
	}
}

// workerLine says whether an archiver is at work on a target.
func workerLine(t *archiver.TargetStatus) string {
	w := t.Worker
	switch {
	case t.Running && w != nil:
		return "running, " + workerName(w)
	case t.Running:
		return "running"
	case t.Silent() != "":
		return "NOT RUNNING: " + t.Silent()
	case w == nil || w.Ended.IsZero():
		return "not running"
	}
	return fmt.Sprintf("not running, ended %v ago", ago(w.Ended))
}

// workerName says which process an archiver is, and where, if that is elsewhere.
func workerName(w *archiver.Worker) string {
	if host, err := os.Hostname(); err != nil || host != w.Host {
		return w.String()
	}
	return fmt.Sprintf("pid %d, since %s", w.PID, w.Began.Format(time.RFC3339))
}

// ago is the time since t, for people.
func ago(t time.Time) time.Duration { return max(0, time.Since(t)).Round(time.Second) }
