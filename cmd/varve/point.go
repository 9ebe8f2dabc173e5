package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/segment"
)

const pointHelp = `The point is the newest state of the archive, or:
  --at TIME     after the last commit up to then: 2026-11-20T15:04:05Z, "2026-11-20 15:04:05"
                (local time), or how long ago: 1h, 2d
  --at-seq N    after the last commit up to that sequence number
  --backup ID   as backup ID pins it
Where an archive holds several stores or timelines, the error lists them.`

// pointFlags name an archive, and a point of a store in it.
type pointFlags struct {
	url      string
	urlFlag  string // its flag's name
	at       string
	seq      uint64
	backup   uint64
	store    string
	timeline string
}

// registerPoint adds all but the flag of the URL.
func (p *pointFlags) registerPoint(f *pflag.FlagSet) {
	f.StringVar(&p.at, "at", "", "the archived state of that `TIME`: a time, or how long ago")
	f.Uint64Var(&p.seq, "at-seq", 0, "the archived state at that sequence number")
	f.Uint64Var(&p.backup, "backup", 0, "the state that the backup of that id pins")
	f.StringVar(&p.store, "store", "", "the UUID of the store, where the archive holds several")
	f.StringVar(&p.timeline, "timeline", "", "the timeline, where the archive holds several")
}

// given reports whether a flag says something that needs an archive.
func (p *pointFlags) given(f *pflag.FlagSet) bool {
	for _, name := range []string{"at", "at-seq", "backup", "store", "timeline"} {
		if f.Changed(name) {
			return true
		}
	}
	return false
}

// point returns the point that the flags name.
func (p *pointFlags) point(f *pflag.FlagSet) (pt archiver.Point, err error) {
	n := 0
	for _, name := range []string{"at", "at-seq", "backup"} {
		if f.Changed(name) {
			n++
		}
	}
	switch {
	case n > 1:
		return pt, usagef("--at, --at-seq and --backup: give one of them")
	case f.Changed("at-seq") && p.seq == 0, f.Changed("backup") && p.backup == 0:
		return pt, usagef("sequence numbers and ids of backups begin with 1")
	}
	pt.Seq, pt.Backup = p.seq, p.backup
	if f.Changed("at") {
		if pt.Time, err = parseAt(p.at, time.Now()); err != nil {
			return pt, err
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

// plan opens the archive and plans the point.
func (p *pointFlags) plan(ctx context.Context, f *pflag.FlagSet) (*archiver.Archive, *archiver.Plan, error) {
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
	plan, err := a.Plan(ctx, uuid, pt)
	if p.timeline != "" && errors.Is(err, archiver.ErrNotExist) && !errors.Is(err, archiver.ErrIncomplete) {
		return nil, nil, usagef("--timeline: %w", err)
	}
	return a, plan, archiveError(err)
}

// storeOf returns the store that --store names, or the only one there is.
func storeOf(ctx context.Context, a *archiver.Archive, want string) (segment.UUID, error) {
	uuid, err := a.Store(ctx, want)
	if want != "" && err != nil && (uuid == segment.UUID{} || errors.Is(err, archiver.ErrNotExist)) {
		return uuid, usagef("--store: %w", err) // no UUID, or one that is not there
	}
	return uuid, archiveError(err)
}

// parseAt reads a time, or how long ago it was.
func parseAt(s string, now time.Time) (time.Time, error) {
	if ago, ok := parseAgo(strings.TrimSpace(strings.TrimSuffix(s, "ago"))); ok {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05Z07:00"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	for _, layout := range []string{time.DateTime, "2006-01-02T15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usagef("--at %q: want a time such as %s or %q, or how long ago, such as 1h or 2d",
		s, now.UTC().Format(time.RFC3339), now.Format(time.DateTime))
}

// parseAgo reads a duration; days are allowed before the hours.
func parseAgo(s string) (time.Duration, bool) {
	days := time.Duration(0)
	if n, rest, ok := strings.Cut(s, "d"); ok {
		v, err := strconv.ParseUint(n, 10, 16)
		if err != nil {
			return 0, false
		}
		days, s = time.Duration(v)*24*time.Hour, rest
		if s == "" {
			return days, true
		}
	}
	d, err := time.ParseDuration(s)
	return days + d, err == nil && d >= 0
}

// pointText describes a plan for people.
func pointText(p *archiver.Plan) string {
	return fmt.Sprintf("sequence number %d, %s, timeline %v", p.Seq, p.Time.Format(time.RFC3339Nano), p.Timeline)
}
