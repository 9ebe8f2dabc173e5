package when

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
)

func TestTimesAsTheyAreTyped(t *testing.T) {
	now := time.Date(2026, 11, 20, 15, 4, 5, 0, time.Local)
	for in, want := range map[string]time.Time{
		"2026-11-20T15:04:05Z":         time.Date(2026, 11, 20, 15, 4, 5, 0, time.UTC),
		"2026-11-20T15:04:05.25+01:00": time.Date(2026, 11, 20, 14, 4, 5, 25e7, time.UTC),
		"2026-11-20T15:04Z":            time.Date(2026, 11, 20, 15, 4, 0, 0, time.UTC),
		"2026-11-20 15:04:05":          now,
		"2026-11-20 15:04:05.5":        now.Add(500 * time.Millisecond),
		"2026-11-20 15:04:05Z":         time.Date(2026, 11, 20, 15, 4, 5, 0, time.UTC),
		"2026-11-20T15:04:05":          now,
		"2026-11-20 15:04":             now.Add(-5 * time.Second),
		"2026-11-20":                   time.Date(2026, 11, 20, 0, 0, 0, 0, time.Local),
		"now":                          now,
		" Now ":                        now,
		"today":                        time.Date(2026, 11, 20, 0, 0, 0, 0, time.Local),
		"yesterday":                    time.Date(2026, 11, 19, 0, 0, 0, 0, time.Local),
		"Yesterday 23:30":              time.Date(2026, 11, 19, 23, 30, 0, 0, time.Local),
		"10:14":                        time.Date(2026, 11, 20, 10, 14, 0, 0, time.Local),
		"15:04:05":                     now,
		"15:04:06":                     time.Date(2026, 11, 19, 15, 4, 6, 0, time.Local),
		"22:00":                        time.Date(2026, 11, 19, 22, 0, 0, 0, time.Local),
		"1h":                           now.Add(-time.Hour),
		"0s":                           now,
		"90m ago":                      now.Add(-90 * time.Minute),
		"1 hour ago":                   now.Add(-time.Hour),
		"1 Hour":                       now.Add(-time.Hour),
		"2 weeks 3 days ago":           now.Add(-17 * 24 * time.Hour),
		"1w":                           now.Add(-7 * 24 * time.Hour),
		"1.5h":                         now.Add(-90 * time.Minute),
		"2d":                           now.Add(-48 * time.Hour),
		"1d12h":                        now.Add(-36 * time.Hour),
		"250ms":                        now.Add(-250 * time.Millisecond),
	} {
		if got, err := Parse(in, now); err != nil || !got.Equal(want) {
			t.Errorf("%q is %v, want %v: %v", in, got, want, err)
		}
	}
	for _, in := range []string{"", "noon", "-1h", "1d-1h", "xd", "2026-13-20", "ago", "24:00", "now 10:00", "yesterday noon", "3", "1 month ago", "1..5h", "1000000w", "1e3s"} {
		if got, err := Parse(in, now); err == nil {
			t.Errorf("%q is taken for %v", in, got)
		}
	}
}

// TestLocalTimesWhereClocksChange: a local time that is there twice or not at all is said,
// with what to type; the beginning of a day is always one moment.
func TestLocalTimesWhereClocksChange(t *testing.T) {
	for _, c := range []struct{ zone, now, in, want, says string }{
		{"Europe/Berlin", "2026-10-25T12:00:00+01:00", "2026-10-25 02:30", "", "2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00"},
		{"Europe/Berlin", "2026-10-25T12:00:00+01:00", "02:30", "", "twice"},
		{"Europe/Berlin", "2026-10-25T12:00:00+01:00", "2026-10-25 01:59:59", "2026-10-25T01:59:59+02:00", ""},
		{"Europe/Berlin", "2026-10-25T12:00:00+01:00", "2026-10-25 03:00", "2026-10-25T03:00:00+01:00", ""},
		{"Europe/Berlin", "2026-03-29T12:00:00+02:00", "2026-03-29 02:30", "", "never showed it"},
		{"Europe/Berlin", "2026-03-29T12:00:00+02:00", "02:30", "", "never showed it"},
		{"Europe/Berlin", "2026-03-29T12:00:00+02:00", "03:00", "2026-03-29T03:00:00+02:00", ""},
		{"Europe/Berlin", "2026-03-29T12:00:00+02:00", "yesterday", "2026-03-28T00:00:00+01:00", ""},
		{"Europe/Berlin", "2026-03-30T00:30:00+02:00", "yesterday", "2026-03-29T00:00:00+01:00", ""},
		{"Europe/Berlin", "2026-03-29T12:00:00+02:00", "1d", "2026-03-28T11:00:00+01:00", ""},
		{"Asia/Beirut", "2026-03-30T12:00:00+03:00", "yesterday", "2026-03-29T01:00:00+03:00", ""}, // 00:00 was left out
		{"Atlantic/Azores", "2026-10-26T12:00:00-01:00", "yesterday", "2026-10-25T00:00:00Z", ""},  // 00:00 was there twice
	} {
		loc, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(c.in, now.In(loc))
		switch {
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: %q at %s: %v, %v; want an error that says %q", c.zone, c.in, c.now, got, err, c.says)
		case c.says == "" && (err != nil || got.Format(time.RFC3339) != c.want):
			t.Errorf("%s: %q at %s: %v, %v; want %s", c.zone, c.in, c.now, got, err, c.want)
		}
	}
}

// TestDurationsAsTheyAreTyped is about flags such as --window.
func TestDurationsAsTheyAreTyped(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"0": 0, "1w": 7 * 24 * time.Hour, "30d": 30 * 24 * time.Hour, "12h": 12 * time.Hour, "1d12h": 36 * time.Hour, "2 weeks": 14 * 24 * time.Hour,
	} {
		var f Span
		if err := f.Set(in); err != nil || time.Duration(f) != want {
			t.Errorf("%q is %v, want %v: %v", in, time.Duration(f), want, err)
		}
	}
	for _, in := range []string{"", "-1d", "5", "yesterday", "1h ago"} {
		var f Span
		if err := f.Set(in); err == nil {
			t.Errorf("%q is taken for %v", in, time.Duration(f))
		}
	}
}
