package integrity

import (
	"time"

	"github.com/varve-db/varve/segment"
)

// ClockJumps returns the runs of commits whose times are not the times at which they were made.
// Headers, footers and the heads of the newest log show them. Only where a run begins in another
// log, the heads of that log are read.
func (st *State) ClockJumps(now time.Time) []segment.ClockJump {
	jumps := segment.ClockJumps(st.logTimes(), now)
	for i := range jumps {
		st.refine(&jumps[i], segment.ClockLimit(now))
	}
	return jumps
}

// logTimes returns what is known of the logs of the set, and of the newest one.
func (st *State) logTimes() (logs []segment.LogTimes) {
	logs = make([]segment.LogTimes, 0, len(st.Parts)+1)
	for _, p := range st.Parts {
		if p.Header.Kind == segment.Log && p.Footer != nil && p.Footer.FirstTime != 0 {
			logs = append(logs, p.Footer.LogTimes(p.Header.Ref))
		}
	}
	if v := st.V; v.Successor == (segment.Ref{}) && v.FirstTime != 0 { // else it is a part
		h := st.Newest.Header
		logs = append(logs, segment.LogTimes{Ref: h.Ref, FirstSeq: h.FirstSeq, LastSeq: v.NextSeq - 1, FirstTime: v.FirstTime, LastTime: v.LastTime, Batches: v.Batches})
	}
	return logs
}

// refine finds the last commit before a jump in the log where it begins: the last one
// whose time is not above limit. Where the log cannot be read, the jump stays as it is.
func (st *State) refine(j *segment.ClockJump, limit int64) {
	r, end := st.R, st.V.End
	for _, p := range st.Parts {
		if p.Header.Ref == j.Segment && p.Entry != st.Newest {
			r, end = p.reader(p.Src), p.Footer.RecordsEnd
		}
	}
	if r.Header.Ref != j.Segment {
		return
	}
	seq := r.Header.FirstSeq - 1
	after, at := seq, int64(0)
	for rec, err := range r.Records(segment.Span{Depth: segment.Heads}) {
		if err != nil || rec.Offset >= end {
			return
		}
		if rec.Kind.Data() {
			seq = rec.Seq
		}
		if !rec.Commit() {
			continue
		}
		if rec.Time > limit {
			break
		}
		after, at = seq, rec.Time
	}
	if at != 0 && at < segment.Nanos(j.LastTime) {
		j.AfterSeq, j.AfterTime = after, time.Unix(0, at).UTC()
	}
}
