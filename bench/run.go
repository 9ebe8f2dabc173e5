package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// runner runs experiments and keeps what they yield.
type runner struct {
	dir      string // for the stores; each is removed when it was used
	n        int
	rounds   int
	profiles string // folder for CPU profiles, or empty
	stores   []string
	results  *results
	log      io.Writer

	fixtures string // the folder of the fixtures at hand
	broken   error
}

// run runs experiments one after the other. A turn that fails does not hold
// up the others; all failures are in the error.
func (r *runner) run(ctx context.Context, all []experiment) error {
	defer func() { os.RemoveAll(r.fixtures) }()
	for i := range all {
		x := &all[i]
		if err := r.needFixtures(x); err != nil {
			return err
		}
		if x.act != nil {
			if err := r.stageOf(ctx, x); err != nil {
				return err
			}
			continue
		}
		for round := range r.rounds {
			for _, s := range x.stores {
				if !slices.Contains(r.stores, s) || round > 0 && !slices.Contains(x.rivals, s) {
					continue
				}
				if err := r.turn(ctx, x, s, round); err != nil {
					r.broken = errors.Join(r.broken, err)
					fmt.Fprintln(r.log, err)
				}
				if ctx.Err() != nil {
					return ctx.Err()
				}
			}
		}
	}
	return r.broken
}

// stageOf has an experiment on a stage take place, where varve takes part at all. The
// error is that of ctx; a failure does not hold up the others.
func (r *runner) stageOf(ctx context.Context, x *experiment) error {
	if !slices.Contains(r.stores, "varve") {
		return nil
	}
	if err := r.perform(ctx, x); err != nil {
		r.broken = errors.Join(r.broken, err)
		fmt.Fprintln(r.log, err)
	}
	return ctx.Err()
}

// needFixtures drops fixtures that experiment x does not use.
func (r *runner) needFixtures(x *experiment) error {
	want := ""
	if x.act != nil {
		want = filepath.Join(r.dir, "stores")
	}
	if x.fixture {
		want = filepath.Join(r.dir, fmt.Sprintf("fixtures-%s-%d", x.task.Keys, x.task.Value))
	}
	if r.fixtures == want {
		return nil
	}
	err := os.RemoveAll(r.fixtures)
	r.fixtures = want
	return err
}

// turn has one store do one experiment once.
func (r *runner) turn(ctx context.Context, x *experiment, name string, round int) error {
	t := x.task
	t.Store, t.N, t.Dir = name, r.n, filepath.Join(r.dir, "turn")
	if err := os.MkdirAll(t.Dir, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(t.Dir)
	if x.fixture {
		at, err := r.fill(ctx, t)
		if err != nil {
			return err
		}
		if !x.dies {
			t.Dir = at
		} else if err := r.kill(ctx, &t, at); err != nil {
			return err
		}
	}
	if r.profiles != "" {
		t.Profile = r.profile(x.name, name)
	}
	unix.Sync()
	f, err := do(ctx, &t, false)
	if err != nil {
		return fmt.Errorf("%s: %w", x.name, err)
	}
	r.results.add(x.name, name, f)
	fmt.Fprintf(r.log, "%-24s %-12s %d  %s\n", x.name, name, round+1, f)
	return nil
}

// profile names the file for the profile of a turn.
func (r *runner) profile(experiment, who string) string {
	file := strings.NewReplacer("/", "-", " ", "").Replace(experiment + "-" + who + ".pprof")
	return filepath.Join(r.profiles, file)
}

// fill returns the folder of a store's fixture, which it makes if it is not there.
func (r *runner) fill(ctx context.Context, t task) (string, error) {
	dir := filepath.Join(r.fixtures, t.Store)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	t.Work, t.Dir = "fill", dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	_, err := do(ctx, &t, false)
	if err != nil {
		os.RemoveAll(dir)
	}
	return dir, err
}

// kill copies a fixture to t's folder and has a process add to it and die. t
// then opens it.
func (r *runner) kill(ctx context.Context, t *task, from string) error {
	if err := os.CopyFS(t.Dir, os.DirFS(from)); err != nil {
		return err
	}
	t.Work = "die"
	if _, err := do(ctx, t, true); err != nil {
		return err
	}
	t.Work, t.More = "open", t.extra()
	return nil
}

// killed reports whether a process ended by SIGKILL.
func killed(err error) bool {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signal() == syscall.SIGKILL
}
