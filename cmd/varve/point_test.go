package main

import (
	"testing"
	"time"
)

func TestTimesAsTheyAreTyped(t *testing.T) {
	now := time.Date(2026, 11, 20, 15, 4, 5, 0, time.Local)
	for in, want := range map[string]time.Time{
		"2026-11-20T15:04:05Z":         time.Date(2026, 11, 20, 15, 4, 5, 0, time.UTC),
		"2026-11-20T15:04:05.25+01:00": time.Date(2026, 11, 20, 14, 4, 5, 25e7, time.UTC),
		"2026-11-20 15:04:05":          now,
		"2026-11-20 15:04:05Z":         time.Date(2026, 11, 20, 15, 4, 5, 0, time.UTC),
		"2026-11-20T15:04:05":          now,
		"2026-11-20 15:04":             now.Add(-5 * time.Second),
		"2026-11-20":                   time.Date(2026, 11, 20, 0, 0, 0, 0, time.Local),
		"1h":                           now.Add(-time.Hour),
		"90m ago":                      now.Add(-90 * time.Minute),
		"2d":                           now.Add(-48 * time.Hour),
		"1d12h":                        now.Add(-36 * time.Hour),
	} {
		if got, err := parseAt(in, now); err != nil || !got.Equal(want) {
			t.Errorf("%q is %v, want %v: %v", in, got, want, err)
		}
	}
	for _, in := range []string{"", "noon", "-1h", "1d-1h", "xd", "2026-13-20", "ago"} {
		if got, err := parseAt(in, now); err == nil {
			t.Errorf("%q is taken for %v", in, got)
		}
	}
}
