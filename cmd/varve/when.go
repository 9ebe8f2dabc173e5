package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Times and durations as people type them. Every flag that takes one is read here.

// whenHelp says what parseWhen takes, for the help of commands.
const whenHelp = `A TIME is 2026-11-20T15:04:05Z, or in local time "2026-11-20 15:04:05", "2026-11-20 15:04",
2026-11-20 (its 00:00), 15:04 (the last that has passed), "yesterday" (its 00:00) or
"yesterday 15:04"; or how long ago, "1 hour ago", 90m, 2d, 1w; or now. A local time that
a change of the clock makes twice, or leaves out, is refused, with what to type.`

// parseWhen reads a moment, as seen at now. Local times are those of now's zone.
func parseWhen(s string, now time.Time) (time.Time, error) {
	s = strings.TrimSpace(s)
	word, rest, _ := strings.Cut(strings.ToLower(s), " ")
	switch {
	case word == "now" && rest == "":
		return now, nil
	case word == "today" || word == "yesterday":
		y, m, d := now.Date()
		if word == "yesterday" {
			d--
		}
		if rest == "" {
			return dayBegin(y, m, d, now.Location()), nil
		}
		if c, ok := parseClock(strings.TrimSpace(rest)); ok {
			return local(s, c.on(y, m, d), now.Location())
		}
	}
	if ago, ok := parseSpan(strings.TrimSuffix(s, "ago")); ok {
		return now.Add(-ago), nil
	}
	if c, ok := parseClock(s); ok {
		return lastClock(s, c, now)
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04Z07:00", "2006-01-02 15:04Z07:00"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	for _, layout := range []string{time.DateTime, "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04"} {
		if t, err := time.Parse(layout, s); err == nil {
			return local(s, t, now.Location())
		}
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		y, m, d := t.Date()
		return dayBegin(y, m, d, now.Location()), nil
	}
	return time.Time{}, fmt.Errorf("%q is no time: want one such as %s, %q, %s, yesterday, or how long ago, such as 1h, 2d or \"3 weeks ago\"",
		s, now.UTC().Format(time.RFC3339), now.Format(time.DateTime), now.Format("15:04"))
}

// clockTime is a time of day.
type clockTime struct{ hour, minute, second int }

// parseClock reads 15:04 and 15:04:05.
func parseClock(s string) (clockTime, bool) {
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return clockTime{t.Hour(), t.Minute(), t.Second()}, true
		}
	}
	return clockTime{}, false
}

// on returns the time of day on a day, as local takes it.
func (c clockTime) on(y int, m time.Month, d int) time.Time {
	return time.Date(y, m, d, c.hour, c.minute, c.second, 0, time.UTC)
}

// lastClock returns the last moment up to now at which clocks showed c.
func lastClock(s string, c clockTime, now time.Time) (time.Time, error) {
	y, m, d := now.Date()
	t, err := local(s, c.on(y, m, d), now.Location())
	if err != nil || !t.After(now) {
		return t, err
	}
	return local(s, c.on(y, m, d-1), now.Location())
}

// local returns the moment at which clocks in loc show what wall shows in UTC. s is what
// was typed.
func local(s string, wall time.Time, loc *time.Location) (time.Time, error) {
	moments := shown(wall, loc)
	switch len(moments) {
	case 1:
		return moments[0], nil
	case 0:
		y, m, d := wall.Date()
		h, mi, sec := wall.Clock()
		near := time.Date(y, m, d, h, mi, sec, wall.Nanosecond(), loc)
		return time.Time{}, fmt.Errorf("%q: local clocks never showed it: they were put forward (%v); give the time with its zone, such as %s",
			s, loc, near.Format(time.RFC3339))
	}
	return time.Time{}, fmt.Errorf("%q: local clocks showed it twice: they were put back (%v); give the time with its zone: %s or %s",
		s, loc, moments[0].Format(time.RFC3339), moments[1].Format(time.RFC3339))
}

// shown returns the moments, in order, at which clocks in loc show what wall shows in UTC:
// one, but where clocks are put forward or back.
func shown(wall time.Time, loc *time.Location) (moments []time.Time) {
	last := 0
	for i, day := range []time.Duration{-24 * time.Hour, 24 * time.Hour} { // the zone before a change, and after it
		_, offset := wall.Add(day).In(loc).Zone()
		t := wall.Add(-time.Duration(offset) * time.Second).In(loc)
		if _, is := t.Zone(); is != offset || i > 0 && len(moments) > 0 && offset == last {
			continue
		}
		moments, last = append(moments, t), offset
	}
	return moments
}

// dayBegin returns the first moment of a day, which is not 00:00 where clocks are put
// forward then.
func dayBegin(y int, m time.Month, d int, loc *time.Location) time.Time {
	wall := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	if moments := shown(wall, loc); len(moments) > 0 {
		return moments[0]
	}
	_, before := wall.Add(-24 * time.Hour).In(loc).Zone()
	return wall.Add(-time.Duration(before) * time.Second).In(loc) // the moment of the change
}

// spanHelp says what parseSpan takes, for the help of commands.
const spanHelp = `A duration is 90s, 1h30m, 12h, 1d, 1w or 1d12h; a day is 24 hours.`

// spanUnits are the units of durations. A day is 24 hours, whatever clocks do.
var spanUnits = map[string]time.Duration{
	"ns": time.Nanosecond, "us": time.Microsecond, "µs": time.Microsecond, "μs": time.Microsecond, "ms": time.Millisecond,
	"s": time.Second, "sec": time.Second, "secs": time.Second, "second": time.Second, "seconds": time.Second,
	"m": time.Minute, "min": time.Minute, "mins": time.Minute, "minute": time.Minute, "minutes": time.Minute,
	"h": time.Hour, "hour": time.Hour, "hours": time.Hour,
	"d": 24 * time.Hour, "day": 24 * time.Hour, "days": 24 * time.Hour,
	"w": 7 * 24 * time.Hour, "week": 7 * 24 * time.Hour, "weeks": 7 * 24 * time.Hour,
}

// parseSpan reads a duration that is not negative: numbers with units, such as 90s, 1.5h,
// 1d12h, 1w or "2 weeks 3 days"; or 0.
func parseSpan(s string) (total time.Duration, ok bool) {
	const most = 200 * 365 * 24 * time.Hour
	s = strings.ToLower(strings.TrimSpace(s))
	if s == "0" {
		return 0, true
	}
	for s != "" {
		n := strings.IndexFunc(s, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
		if n <= 0 {
			return 0, false
		}
		v, err := strconv.ParseFloat(s[:n], 64)
		rest := strings.TrimSpace(s[n:])
		end := strings.IndexFunc(rest, func(r rune) bool { return r >= '0' && r <= '9' || r == ' ' || r == '.' })
		if end < 0 {
			end = len(rest)
		}
		unit, known := spanUnits[rest[:end]]
		if err != nil || !known || v*float64(unit) > float64(most-total) {
			return 0, false
		}
		total += time.Duration(v * float64(unit))
		s = strings.TrimSpace(rest[end:])
		ok = true
	}
	return total, ok
}

// spanFlag is a duration as a flag, in which days and weeks are understood.
type spanFlag time.Duration

// spanVar makes p the value of a flag of a duration, as every such flag is made.
func spanVar(f *pflag.FlagSet, p *time.Duration, name string, def time.Duration, usage string) {
	*p = def
	f.Var((*spanFlag)(p), name, usage)
}

// Set takes what parseSpan does.
func (d *spanFlag) Set(s string) error {
	v, ok := parseSpan(s)
	if !ok {
		return errNoSpan
	}
	*d = spanFlag(v)
	return nil
}

// String writes whole days as days.
func (d *spanFlag) String() string {
	const day = 24 * time.Hour
	switch v := time.Duration(*d); {
	case v == 0:
		return "0"
	case v%day == 0:
		return fmt.Sprintf("%dd", v/day)
	default:
		return v.String()
	}
}

// takesSpans reports whether a command has a flag of a duration.
func takesSpans(c *cobra.Command) (takes bool) {
	c.Flags().VisitAll(func(f *pflag.Flag) {
		_, span := f.Value.(*spanFlag)
		_, sync := f.Value.(*syncFlag)
		takes = takes || span || sync
	})
	return takes
}

// errNoSpan is the error for what is no duration.
var errNoSpan = errors.New("want a duration such as 90s, 12h, 30d, 1w or 1d12h")

// Type names the flag's value in the help.
func (d *spanFlag) Type() string { return "duration" }
