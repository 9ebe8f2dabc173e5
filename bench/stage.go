package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/varve-db/varve/archiver/target/targettest"
	"golang.org/x/sys/unix"
)

// A stage is where an experiment takes place that compares varve with other ways to do the same
// with its files, such as cp. It takes its turns by itself, once for each round.
type stage struct {
	r      *runner
	ctx    context.Context
	name   string               // of the experiment
	dir    string               // its own folder, the same in each round, removed at the end
	round  int                  // from 0 on
	s3     *targettest.S3Server // once it was asked for
	stopS3 func()
}

// errSkip is wrapped by the error of an experiment that this machine lacks
// something for. That is a note, not a failure.
var errSkip = errors.New("skipped")

// perform has an experiment take place in all rounds.
func (r *runner) perform(ctx context.Context, x *experiment) error {
	s := &stage{r: r, ctx: ctx, name: x.name, dir: filepath.Join(r.dir, "stage")}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(s.dir)
	defer func() {
		if s.s3 != nil {
			s.stopS3()
		}
	}()
	for ; s.round < r.rounds && ctx.Err() == nil; s.round++ {
		err := x.act(s)
		if errors.Is(err, errSkip) {
			s.note("%v", err)
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", x.name, err)
		}
	}
	return ctx.Err()
}

// note keeps what should be known of the figures, once.
func (s *stage) note(format string, args ...any) {
	text := s.name + ": " + fmt.Sprintf(format, args...)
	if !slices.Contains(s.r.results.Notes, text) {
		s.r.results.Notes = append(s.r.results.Notes, text)
		fmt.Fprintln(s.r.log, text)
	}
}

// record keeps the figures of one side in this round.
func (s *stage) record(side string, f figures) {
	s.r.results.add(s.name, side, f)
	fmt.Fprintf(s.r.log, "%-24s %-12s %d  %s\n", s.name, side, s.round+1, f)
}

// folder makes an empty folder of the stage.
func (s *stage) folder(name string) (string, error) {
	dir := filepath.Join(s.dir, name)
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	return dir, os.MkdirAll(dir, 0o700)
}

// child has a child process do a task of varve's, after what is unwritten has
// been flushed. One of the figures is the time with start and end of the process.
func (s *stage) child(t task) (figures, error) {
	t.Store = "varve"
	if s.r.profiles != "" { // the last turn of each work is kept
		t.Profile = s.r.profile(s.name, t.Work)
	}
	unix.Sync()
	start := time.Now()
	f, err := do(s.ctx, &t, false)
	if err == nil {
		f["with the process"] = time.Since(start).Seconds()
	}
	return f, err
}

// command runs programs, one after the other, each given with its arguments, and
// returns the seconds that they took together. What is unwritten is flushed before.
func (s *stage) command(in string, lines ...[]string) (float64, error) {
	unix.Sync()
	start := time.Now()
	for _, line := range lines {
		var msg bytes.Buffer
		cmd := exec.CommandContext(s.ctx, line[0], line[1:]...)
		cmd.Stdin, cmd.Stderr = bytes.NewReader([]byte(in)), &msg
		if err := cmd.Run(); err != nil {
			return 0, fmt.Errorf("%s: %w: %s", line[0], err, bytes.TrimSpace(msg.Bytes()))
		}
	}
	return time.Since(start).Seconds(), nil
}

// several returns the median figures of tasks that are done in turns, so many
// times each.
func (s *stage) several(times int, tasks ...task) ([]figures, error) {
	all := make([][]figures, len(tasks))
	for range times {
		for i, t := range tasks {
			f, err := s.child(t)
			if err != nil {
				return nil, err
			}
			all[i] = append(all[i], f)
		}
	}
	medians := make([]figures, len(tasks))
	for i, rounds := range all {
		medians[i] = figures{}
		for name := range rounds[0] {
			medians[i][name], _ = medianOf(rounds, name)
		}
	}
	return medians, nil
}

// apart says by how much two figures differ, as a share of the lesser one.
func apart(a, b float64) float64 { return math.Abs(a-b) / max(min(a, b), 1) }
