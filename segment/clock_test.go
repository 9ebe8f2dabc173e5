package segment

import (
	"math"
	"testing"
	"time"
)

// TestTimesGrowWhateverTheClockSays: no clock makes a commit time that a reader refuses.
func TestTimesGrowWhateverTheClockSays(t *testing.T) {
	good := time.Date(2026, 11, 29, 12, 0, 0, 5, time.UTC)
	for _, c := range []struct {
		what string
		last int64
		now  time.Time
		want int64
	}{
		{"a sound clock", 7, good, good.UnixNano()},
		{"a clock that stands still", good.UnixNano(), good, good.UnixNano() + 1},
		{"a clock that went back", good.UnixNano(), good.Add(-time.Hour), good.UnixNano() + 1},
		{"before 1970, in a new store", 0, time.Date(1969, 12, 31, 23, 0, 0, 0, time.UTC), 1},
		{"before 1678", 0, time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC), 1},
		{"1970 itself", 0, time.Unix(0, 0), 1},
		{"after what 64 bits hold", 41, time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC), 42},
		{"so near the end that times would be used up", 41, time.Unix(0, math.MaxInt64), 42},
		{"a header of an odd clock", -5, time.Date(1901, 1, 1, 0, 0, 0, 0, time.UTC), 1},
	} {
		if got := NextTime(c.last, c.now); got != c.want {
			t.Errorf("%s: %d, want %d", c.what, got, c.want)
		}
	}
}

// TestNanosOfTimesBeyond64Bits: a time that 64 bits do not hold is still earlier, or later,
// than all that they do.
func TestNanosOfTimesBeyond64Bits(t *testing.T) {
	for _, c := range []struct {
		t    time.Time
		want int64
	}{
		{time.Date(1601, 1, 1, 0, 0, 0, 0, time.UTC), math.MinInt64},
		{time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC), math.MaxInt64},
		{time.Unix(0, -1), -1},
		{time.Unix(7, 5), 7e9 + 5},
	} {
		if got := Nanos(c.t); got != c.want {
			t.Errorf("%v: %d, want %d", c.t, got, c.want)
		}
	}
}
