package segment

import (
	"strings"
	"testing"
	"time"
)

const (
	second = int64(time.Second)
	day    = 24 * 3600 * second
)

// TestClockJumps: a run of commits that do not follow the clock is found, with the numbers
// where it begins and ends; times that follow a clock are none, however fast commits come.
func TestClockJumps(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	at := now.UnixNano() - 30*day
	log := func(id ID, firstSeq, n uint64, first, last int64) LogTimes {
		return LogTimes{Ref: Ref{7, id}, FirstSeq: firstSeq, LastSeq: firstSeq + n - 1, FirstTime: first, LastTime: last, Batches: int64(n)}
	}
	by := func(l LogTimes, by int64) LogTimes { l.By = time.Unix(0, by); return l }
	sound := log(1, 1, 100, at, at+second)
	year := now.UnixNano() + 365*day
	past := at + 5*day

	for _, c := range []struct {
		what string
		logs []LogTimes
		want []ClockJump // without times
		at   [2]int64    // of the first
	}{
		{what: "no log"},
		{what: "a sound clock", logs: []LogTimes{sound, log(2, 101, 100, at+second, at+20*day)}},
		{what: "the fastest batches there are", logs: []LogTimes{sound, log(2, 101, 1e6, at+second, at+second+1e8)}},
		{what: "a few batches in one tick of a coarse clock", logs: []LogTimes{sound, log(2, 101, 15, at+second, at+second+15), log(3, 116, 1, at+2*second, at+2*second)}},
		{what: "logs of one batch, whose end and the next begin have one reading of the clock",
			logs: []LogTimes{log(1, 1, 1, at, at+1e5), log(2, 2, 1, at+1e5+1, at+2e5), log(3, 3, 1, at+2e5+1, at+3e5)}},
		{what: "a clock that is a little ahead of another", logs: []LogTimes{sound, log(2, 101, 9, at+second, now.UnixNano()+600*second)}},

		{what: "the newest log is ahead", logs: []LogTimes{sound, log(2, 101, 5, at+2*second, year)},
			want: []ClockJump{{Segment: Ref{7, 2}, AfterSeq: 100, LastSeq: 105, Ahead: true}}, at: [2]int64{at + second, year}},
		{what: "all of the store is ahead", logs: []LogTimes{log(1, 1, 5, year, year+4)},
			want: []ClockJump{{Segment: Ref{7, 1}, LastSeq: 5, Ahead: true}}, at: [2]int64{0, year + 4}},
		{what: "a log that stands behind the times at the end of the one before", logs: []LogTimes{sound, log(2, 101, 9, at+2*second, past), log(3, 110, 50, past+2, past+60), log(4, 160, 9, past+second, past+9*second)},
			want: []ClockJump{{Segment: Ref{7, 2}, AfterSeq: 100, LastSeq: 159}}, at: [2]int64{at + second, past + 60}},
		{what: "many small ones", logs: []LogTimes{sound, log(2, 101, 6, past, past+12), log(3, 107, 6, past+14, past+26), log(4, 113, 6, past+28, past+40), log(5, 119, 9, past+second, past+9*second)},
			want: []ClockJump{{Segment: Ref{7, 2}, AfterSeq: 100, LastSeq: 118}}, at: [2]int64{at + second, past + 40}},
		{what: "a log that another clock saw before its times", logs: []LogTimes{by(sound, at+2*second), by(log(2, 101, 9, past, past+second), at+3*second), by(log(3, 110, 9, past+day, past+2*day), past+3*day)},
			want: []ClockJump{{Segment: Ref{7, 2}, AfterSeq: 100, LastSeq: 109}}, at: [2]int64{at + second, past + second}},
		{what: "a log before one that another clock saw before its times", logs: []LogTimes{by(sound, at+2*second), by(log(2, 101, 9, past, past+second), past+9*day), by(log(3, 110, 1, past+second+2, past+second+2), at+day)},
			want: []ClockJump{{Segment: Ref{7, 2}, AfterSeq: 100, LastSeq: 110}}, at: [2]int64{at + second, past + second + 2}},
	} {
		got := ClockJumps(c.logs, now)
		if len(got) != len(c.want) {
			t.Errorf("%s: %v, want %d", c.what, got, len(c.want))
			continue
		}
		for i, j := range got {
			if w := c.want[i]; j.Segment != w.Segment || j.AfterSeq != w.AfterSeq || j.LastSeq != w.LastSeq || j.Ahead != w.Ahead {
				t.Errorf("%s: %+v, want %+v", c.what, j, w)
			}
			if after := max(0, j.AfterTime.UnixNano()); i == 0 && (after != c.at[0] && !(j.AfterTime.IsZero() && c.at[0] == 0) || j.LastTime.UnixNano() != c.at[1]) {
				t.Errorf("%s: from %v to %v, want %v", c.what, j.AfterTime, j.LastTime, c.at)
			}
			if j.Has(j.AfterTime) || j.Has(j.LastTime) || !j.Has(j.LastTime.Add(-1)) {
				t.Errorf("%s: %v has the wrong moments", c.what, j)
			}
		}
	}
}

// TestClockJumpsSayWhatToDo: the text names the log, both numbers and the way out, and no flag.
func TestClockJumpsSayWhatToDo(t *testing.T) {
	j := ClockJump{Segment: Ref{7, 2}, AfterSeq: 103, AfterTime: time.Unix(1e9, 0).UTC(), LastSeq: 105, LastTime: time.Unix(2e9, 0).UTC(), Ahead: true}
	for _, want := range []string{"after sequence number 103, at 2001-09-09T01:46:40Z", j.Segment.String(), "sequence numbers 104 to 105, up to 2033-05-18T03:33:20Z (", "yet to come", "a sequence number in place of a time"} {
		if s := j.String(); !strings.Contains(s, want) || strings.Contains(s, "--") {
			t.Errorf("%q lacks %q, or names a flag", s, want)
		}
	}
}
