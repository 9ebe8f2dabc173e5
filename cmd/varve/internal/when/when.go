package when

import (
	"fmt"
	"strings"
	"time"
)

// Help says what Parse takes, for the help of commands.
const Help = `A TIME is 2026-11-20T15:04:05Z, or in local time "2026-11-20 15:04:05", "2026-11-20 15:04",
2026-11-20 (its 00:00), 15:04 (the last that has passed), "yesterday" (its 00:00) or
"yesterday 15:04"; or how long ago, "1 hour ago", 90m, 2d, 1w; or now. A local time that
a change of the clock makes twice, or leaves out, is refused, with what to type.`

// Parse reads a moment, as seen at now. Local times are those of now's zone.
func Parse(s string, now time.Time) (time.Time, error) {
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
	if ago, ok := ParseSpan(strings.TrimSuffix(s, "ago")); ok {
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
