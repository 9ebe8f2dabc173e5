package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/pflag"
	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/cmd/varve/internal/when"
	"github.com/varve-db/varve/segment"
)

const pointHelp = `The point is the newest state of the archive, or:
  --at TIME             the state at that time. An archive knows of commits up to some moment;
                        a later TIME is refused, and the message says how fresh the archive is
  --latest-before TIME  after the newest archived commit that is not later
  --at-seq N            after the last commit up to that sequence number
  --backup ID           as backup ID pins it
Where an archive holds several stores or timelines, the error lists them. Where it lacks
segments that the point needs, or has them damaged, the error names them, and the exit
code is 3; --accept-older takes the newest point before them that is complete, and prints
which that is, and what is missing.
Where the store's clock once ran ahead and was put right, commits have times that do not
tell when they were made. For a TIME among them a warning names their sequence numbers, of
which --at-seq takes one in place of the time.

` + when.Help

// pointFlags name an archive, and a point of a store in it.
type pointFlags struct {
	url      string
	urlFlag  string // its flag's name
	at       string
	before   string
	seq      uint64
	backup   uint64
	store    string
	timeline string
	older    bool
}

// registerPoint adds all but the flag of the URL.
func (p *pointFlags) registerPoint(f *pflag.FlagSet) {
	f.StringVar(&p.at, "at", "", "the state at that `TIME`: a time, or how long ago")
	f.StringVar(&p.before, "latest-before", "", "the newest archived state that is not later than `TIME`")
	f.Uint64Var(&p.seq, "at-seq", 0, "the archived state at that sequence number")
	f.Uint64Var(&p.backup, "backup", 0, "the state that the backup of that id pins")
	f.StringVar(&p.store, "store", "", "the UUID of the store, where the archive holds several")
	f.StringVar(&p.timeline, "timeline", "", "the timeline, where the archive holds several")
	f.BoolVar(&p.older, "accept-older", false, "where the archive lacks what the point needs, take the newest complete point before")
}

// given reports whether a flag says something that needs an archive.
func (p *pointFlags) given(f *pflag.FlagSet) bool {
	for _, name := range []string{"at", "latest-before", "at-seq", "backup", "store", "timeline", "accept-older"} {
		if f.Changed(name) {
			return true
		}
	}
	return false
}

// point returns the point that the flags name.
func (p *pointFlags) point(f *pflag.FlagSet) (pt history.Point, err error) {
	n := 0
	for _, name := range []string{"at", "latest-before", "at-seq", "backup"} {
		if f.Changed(name) {
			n++
		}
	}
	switch {
	case n > 1:
		return pt, usagef("--at, --latest-before, --at-seq and --backup: give one of them")
	case f.Changed("at-seq") && p.seq == 0, f.Changed("backup") && p.backup == 0:
		return pt, usagef("sequence numbers and ids of backups begin with 1")
	}
	pt.Seq, pt.Backup, pt.AcceptOlder = p.seq, p.backup, p.older
	if f.Changed("at") {
		if pt.Time, err = when.Parse(p.at, time.Now()); err != nil {
			return pt, usagef("--at %w", err)
		}
	}
	if f.Changed("latest-before") {
		if pt.Before, err = when.Parse(p.before, time.Now()); err != nil {
			return pt, usagef("--latest-before %w", err)
		}
	}
	if p.timeline != "" {
		t, err := strconv.ParseUint(p.timeline, 16, 64)
		if err != nil || t == 0 {
			return pt, usagef("--timeline %s: want 16 hexadecimal digits", p.timeline)
		}
		pt.Timeline = segment.Timeline(t)
	}
	return pt, nil
}

// plan opens the archive and plans the point. It warns if that is an older one than was
// asked for.
func (a *app) plan(ctx context.Context, p *pointFlags, f *pflag.FlagSet) (*archive.Archive, *history.Plan, error) {
	arc, plan, err := p.plan(ctx, f)
	if err == nil && plan.Hole != nil {
		a.warn("%v: that is taken", plan.Hole)
	}
	if err == nil && plan.Clock != nil {
		a.warn("%v (--at-seq N); what is taken now is sequence number %d", plan.Clock, plan.Seq)
	}
	return arc, plan, err
}

func (p *pointFlags) plan(ctx context.Context, f *pflag.FlagSet) (*archive.Archive, *history.Plan, error) {
	if p.url == "" {
		return nil, nil, usagef("which archive? give --%s URL, such as file:///backup or s3://bucket/prefix", p.urlFlag)
	}
	pt, err := p.point(f)
	if err != nil {
		return nil, nil, err
	}
	t, err := openTarget(ctx, p.url, false)
	if err != nil {
		return nil, nil, err
	}
	a, err := openArchive(ctx, t)
	if err != nil {
		return nil, nil, archiveError(err)
	}
	uuid, err := storeOf(ctx, a, p.store)
	if err != nil {
		return nil, nil, err
	}
	plan, err := history.At(ctx, a, uuid, pt)
	if p.timeline != "" && errors.Is(err, target.ErrNotExist) && !errors.Is(err, history.ErrIncomplete) {
		return nil, nil, usagef("--timeline: %w", err)
	}
	return a, plan, archiveError(err)
}

// storeOf returns the store that --store names, or the only one there is.
func storeOf(ctx context.Context, a *archive.Archive, want string) (segment.UUID, error) {
	uuid, err := a.Store(ctx, want)
	if want != "" && err != nil && (uuid == segment.UUID{} || errors.Is(err, target.ErrNotExist)) {
		return uuid, usagef("--store: %w", err) // no UUID, or one that is not there
	}
	return uuid, archiveError(err)
}

// pointText describes a plan for people.
func pointText(p *history.Plan) string {
	return fmt.Sprintf("sequence number %d, %s, timeline %v", p.Seq, p.Time.Format(time.RFC3339Nano), p.Timeline)
}
