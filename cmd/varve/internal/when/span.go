package when

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// SpanHelp says what ParseSpan takes, for the help of commands.
const SpanHelp = `A duration is 90s, 1h30m, 12h, 1d, 1w or 1d12h; a day is 24 hours.`

// spanUnits are the units of durations. A day is 24 hours, whatever clocks do.
var spanUnits = map[string]time.Duration{
	"ns": time.Nanosecond, "us": time.Microsecond, "µs": time.Microsecond, "μs": time.Microsecond, "ms": time.Millisecond,
	"s": time.Second, "sec": time.Second, "secs": time.Second, "second": time.Second, "seconds": time.Second,
	"m": time.Minute, "min": time.Minute, "mins": time.Minute, "minute": time.Minute, "minutes": time.Minute,
	"h": time.Hour, "hour": time.Hour, "hours": time.Hour,
	"d": 24 * time.Hour, "day": 24 * time.Hour, "days": 24 * time.Hour,
	"w": 7 * 24 * time.Hour, "week": 7 * 24 * time.Hour, "weeks": 7 * 24 * time.Hour,
}

// ParseSpan reads a duration that is not negative: numbers with units, such as 90s, 1.5h,
// 1d12h, 1w or "2 weeks 3 days"; or 0.
func ParseSpan(s string) (total time.Duration, ok bool) {
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

// Span is a duration as a flag, in which days and weeks are understood.
type Span time.Duration

// SpanVar makes p the value of a flag of a duration, as every such flag is made.
func SpanVar(f *pflag.FlagSet, p *time.Duration, name string, def time.Duration, usage string) {
	*p = def
	f.Var((*Span)(p), name, usage)
}

// Set takes what ParseSpan does.
func (d *Span) Set(s string) error {
	v, ok := ParseSpan(s)
	if !ok {
		return errNoSpan
	}
	*d = Span(v)
	return nil
}

// String writes whole days as days.
func (d *Span) String() string {
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

// errNoSpan is the error for what is no duration.
var errNoSpan = errors.New("want a duration such as 90s, 12h, 30d, 1w or 1d12h")

// Type names the flag's value in the help.
func (d *Span) Type() string { return "duration" }
