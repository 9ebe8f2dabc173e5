package segment

import (
	"fmt"
	"time"
)

// Where a clock ran ahead and was put right, commits go on getting times behind those that
// are there, a nanosecond apart, until the clock has caught up: see NextTime. Their times
// grow and are sound by the format, but do not tell when the commits were made.

// LogTimes is what is known of when the commits of a log were made. Header and footer tell
// all that must be set.
type LogTimes struct {
	Ref                 Ref
	FirstSeq, LastSeq   uint64
	FirstTime, LastTime int64 // of the first and the last commit
	Batches             int64 // of puts and deletes

	// By is a moment, told by another clock or by the same one later, by which the log
	// had been written. Zero: none is known.
	By time.Time
}

// LogTimes returns what the footer of a log tells.
func (s *Summary) LogTimes(ref Ref) LogTimes {
	return LogTimes{Ref: ref, FirstSeq: s.FirstSeq, LastSeq: s.LastSeq, FirstTime: s.FirstTime, LastTime: s.LastTime, Batches: s.Batches}
}

// ClockJump is a run of commits whose times do not tell when they were made, since a
// clock ran ahead. In it a sequence number names a state, and a time does not.
type ClockJump struct {
	Segment Ref `json:"segment"` // the log where it begins

	// AfterSeq and AfterTime are the last commit before it whose time is known to follow the
	// clock. AfterTime is zero where there is none: AfterSeq is then the number before the log's.
	AfterSeq  uint64    `json:"after_seq"`
	AfterTime time.Time `json:"after_time,omitzero"`

	LastSeq  uint64    `json:"last_seq"` // of the run
	LastTime time.Time `json:"last_time"`

	// Ahead says that LastTime is yet to come: all that is committed until then joins the run.
	Ahead bool `json:"ahead"`
}

// Has reports whether a moment lies in the run: which commits had been made then is not known.
func (j *ClockJump) Has(t time.Time) bool { return t.After(j.AfterTime) && t.Before(j.LastTime) }

// String says what is wrong and what to do, without the name of a flag.
func (j *ClockJump) String() string {
	const layout = "2006-01-02T15:04:05.999Z07:00" // cut off, not rounded up
	after := ""
	if !j.AfterTime.IsZero() {
		after = fmt.Sprintf(" after sequence number %d, at %s,", j.AfterSeq, j.AfterTime.Format(layout))
	}
	until := j.LastTime.Format(layout)
	if j.Ahead {
		until += " (which is yet to come by the clock of this machine)"
	}
	return fmt.Sprintf("the clock ran ahead%s in log %v: the times of the commits with sequence numbers %d to %d, up to %s, do not tell when they were made; name a sequence number in place of a time",
		after, j.Segment, j.AfterSeq+1, j.LastSeq, until)
}

const (
	// clockTolerance is how far two clocks that count as right may differ.
	clockTolerance = time.Hour

	// Commits of a log whose clock stands behind its times are a nanosecond apart, with
	// the records of opens and closes a few for each batch. Where times follow a clock, a
	// batch takes a hundred nanoseconds and more, however fast: it is encoded and enters the
	// index before the next one begins, and all its records share one time. A few batches
	// may fall into one tick of a coarse clock.
	stalledStep    = 16 // nanoseconds; fewer for each batch is no clock
	stalledBatches = 16 // fewer tell nothing
)

// ClockJumps finds the runs of commits whose times do not tell when they were made, in the
// logs of one history, in order; all have commits. The log where a run begins may also have
// commits from before it, of which headers and footers do not tell. A log belongs to such a run if
//
//   - its last commit is later than now by more than an hour, or than a moment by which it,
//     or a later log, had been written; or
//   - it and its neighbors have at least 16 batches, in fewer than 16 nanoseconds each.
//
// Neither holds for a clock that is right, however fast commits come. Not found is a run
// that is over, lies inside of logs that also have other commits, and of which no By tells.
func ClockJumps(logs []LogTimes, now time.Time) (jumps []ClockJump) {
	limits := clockLimits(logs, now)
	stalled := stalledLogs(logs)
	for i := 0; i < len(logs); i++ {
		first := i
		for i < len(logs) && (stalled[i] || logs[i].LastTime > limits[i]) {
			i++
		}
		if i > first {
			jumps = append(jumps, clockJump(logs, first, i-1, limits[first], now))
		}
	}
	return jumps
}

// clockLimits returns for each log the latest time that a commit of it can have had.
func clockLimits(logs []LogTimes, now time.Time) []int64 {
	limits := make([]int64, len(logs))
	by := now
	for i := len(logs) - 1; i >= 0; i-- {
		if b := logs[i].By; !b.IsZero() && b.Before(by) {
			by = b
		}
		limits[i] = ClockLimit(by)
	}
	return limits
}

// ClockLimit is the latest commit time, in nanoseconds since 1970 UTC, that is believed of
// what had been written by a moment.
func ClockLimit(by time.Time) int64 { return Nanos(by.Add(clockTolerance)) }

// stalledLogs says of each log whether its commits are too near to each other.
func stalledLogs(logs []LogTimes) []bool {
	stalled := make([]bool, len(logs))
	for i := 0; i < len(logs); {
		n, end := int64(0), i
		for ; end < len(logs); end++ {
			more := n + logs[end].Batches
			if logs[end].LastTime-logs[i].FirstTime >= stalledStep*more {
				break
			}
			n = more
		}
		if n < stalledBatches {
			i++
			continue
		}
		for ; i < end; i++ {
			stalled[i] = true
		}
	}
	return stalled
}

// clockJump describes the run of the logs from first to last. No commit of the first is
// believed to be later than limit.
func clockJump(logs []LogTimes, first, last int, limit int64, now time.Time) ClockJump {
	if near := int64(stalledBatches * stalledStep); logs[first].LastTime <= limit && first > 0 && logs[first].FirstTime-logs[first-1].LastTime <= near {
		first-- // the times that the clock stands behind are there at its end
	}
	l, end := &logs[first], &logs[last]
	j := ClockJump{Segment: l.Ref, AfterSeq: l.FirstSeq - 1, LastSeq: end.LastSeq, LastTime: time.Unix(0, end.LastTime).UTC(),
		Ahead: end.LastTime > Nanos(now)}
	if first > 0 {
		j.AfterTime = time.Unix(0, logs[first-1].LastTime).UTC()
	}
	return j
}
