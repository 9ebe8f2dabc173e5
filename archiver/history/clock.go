package history

import (
	"context"
	"time"

	"github.com/varve-db/varve/segment"
)

// A plan for a moment relies on commit times, and a clock may have run ahead. What can be
// checked cheaply is checked: the footers of the log of the point and of its neighbors are
// compared with now, with the moments at which the target stored them, and with what came
// later.

// clockSight looks at the commit times of a lineage. A log is read when it is asked for.
type clockSight struct {
	*lineage
	by  []time.Time // for each link, the moment by which it was written
	now time.Time
}

func (l *lineage) clockSight(now time.Time) *clockSight {
	s := &clockSight{l, make([]time.Time, len(l.links)), now}
	by := now
	for i := len(l.links) - 1; i >= 0; i-- {
		if m := l.links[i].Modified; !m.IsZero() && m.Before(by) {
			by = m
		}
		s.by[i] = by
	}
	return s
}

// times returns the times in the footer of a log, and the moment by which the log was written.
func (s *clockSight) times(ctx context.Context, i int) (segment.LogTimes, error) {
	f, err := s.Footer(ctx, s.links[i].Stored)
	if err != nil {
		return segment.LogTimes{}, err
	}
	t := f.LogTimes(s.links[i].Ref)
	t.By = s.by[i]
	return t, nil
}

// ahead reports whether the times of a log end later than it was written.
func (s *clockSight) ahead(ctx context.Context, i int) (bool, error) {
	t, err := s.times(ctx, i)
	return t.LastTime > segment.ClockLimit(s.by[i]), err
}

// clockJump returns the run of commits whose times are too late, if moment t lies in one. at is
// the place that was found for t.
func (l *lineage) clockJump(ctx context.Context, at *place, t time.Time) (*segment.ClockJump, error) {
	s := l.clockSight(time.Now())
	logs, err := s.near(ctx, at.at)
	if err != nil {
		return nil, err
	}
	known := make([]segment.LogTimes, len(logs))
	for n, i := range logs {
		if known[n], err = s.times(ctx, i); err != nil {
			return nil, err
		}
	}
	for _, j := range segment.ClockJumps(known, s.now) {
		for n, i := range logs {
			if known[n].Ref != j.Segment {
				continue
			}
			if err := s.refine(ctx, i, &known[n], &j); err != nil {
				return nil, err
			}
		}
		if j.Has(t) {
			return &j, nil
		}
	}
	return nil, nil
}

// near returns the logs that are looked at, in order: the log i of a point, the one before and two
// behind. Where a clock ran ahead in one of them, the result also has the first and the last log of
// that run, and the log before it.
func (s *clockSight) near(ctx context.Context, i int) (logs []int, err error) {
	segs := s.logs()
	if before, _, err := segs.Last(ctx, 0, i); err != nil {
		return nil, err
	} else if before >= 0 {
		logs = append(logs, before)
	}
	for n := 0; i >= 0 && n < 3; n++ {
		logs = append(logs, i)
		if i, _, err = segs.First(ctx, i+1); err != nil {
			return nil, err
		}
	}
	for n, i := range logs {
		ahead, err := s.ahead(ctx, i)
		if err != nil {
			return nil, err
		}
		if ahead {
			return s.run(ctx, logs, n)
		}
	}
	return logs, nil
}

// run widens the logs that are looked at to the whole run that logs[n] belongs to. logs[n] is
// the first of them that runs ahead.
func (s *clockSight) run(ctx context.Context, logs []int, n int) ([]int, error) {
	segs, in := s.logs(), logs[n]
	if n == 0 {
		before, _, err := segs.Search(ctx, 0, in, func(i int, _ *segment.Header) (bool, error) {
			ahead, err := s.ahead(ctx, i)
			return !ahead, err
		})
		if err != nil {
			return nil, err
		}
		first, _, err := segs.First(ctx, before+1)
		if err != nil {
			return nil, err
		}
		var begin []int
		for _, i := range []int{before, first} {
			if i >= 0 && i < in {
				begin = append(begin, i)
			}
		}
		logs = append(begin, logs...)
	}
	last, _, err := segs.Search(ctx, in, len(s.links), func(i int, _ *segment.Header) (bool, error) { return s.ahead(ctx, i) })
	if err == nil && last > logs[len(logs)-1] {
		logs = append(logs, last)
	}
	return logs, err
}

// refine finds the last commit of log i whose time is credible. Footers do not hold it.
func (s *clockSight) refine(ctx context.Context, i int, t *segment.LogTimes, j *segment.ClockJump) error {
	limit := segment.ClockLimit(s.by[i])
	if t.FirstTime > limit || t.LastTime <= limit {
		return nil
	}
	f, err := s.Footer(ctx, s.links[i].Stored)
	if err != nil {
		return err
	}
	last, err := s.cut(ctx, i, f, s.links[i].limit, limit)
	if err == nil && last.end >= 0 { // else no commit of the log is credible
		j.AfterSeq, j.AfterTime = last.seq, last.time
	}
	return err
}
