package segment

import (
	"math"
	"time"
)

// The format counts time in 64 bits of nanoseconds since 1970 UTC: up to April 2262, and
// commit times from above zero on. A clock that stands elsewhere is a wrong clock: one
// without a battery, say. It must not make a log that nobody can read.

// latest is where a clock is believed up to. What is left above it lasts longer than
// anybody can commit, so that a commit time can always grow.
var latest = time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC)

// InClock reports whether a time is one that a clock can tell: later than 1970-01-01 UTC,
// and earlier than 2262.
func InClock(t time.Time) bool { return t.After(time.Unix(0, 0)) && t.Before(latest) }

// NextTime returns the time of what is written at now after what has the time last; 0 for
// nothing. It is now's, or, where that is not later than last or no time that a clock can
// tell, one nanosecond after last. So times grow, whatever the clock does.
func NextTime(last int64, now time.Time) int64 {
	next := max(last, 0) + 1
	if InClock(now) {
		next = max(next, now.UnixNano())
	}
	return next
}

// Nanos returns t in nanoseconds since 1970 UTC, and for a time that 64 bits do not hold
// the nearest that they do, where time.Time.UnixNano returns any number.
func Nanos(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, math.MinInt64)):
		return math.MinInt64
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return t.UnixNano()
}
