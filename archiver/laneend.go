package archiver

import (
	"errors"
	"fmt"
	"time"

	"github.com/varve-db/varve/segment"
)

// failed notes a failed attempt.
func (l *lane) failed(j *job, era int, err error) {
	wait := l.a.backoff.after(j.tries + 1)
	l.put(func() {
		l.queue.again(j, true, wait)
		l.fail(era, err)
		switch {
		case l.hopeless(err) && l.stopped == nil:
			l.stopped = err
		case l.once && j.tries >= l.a.opt.Tries:
			l.queue.abandon(j)
			l.gaveUp = errors.Join(l.gaveUp, fmt.Errorf("segment %v: %w", j.ref, err))
		}
	})
	l.a.opt.Logger.Warn("segment not shipped; it will be tried again",
		"segment", j.ref, "target", l.url, "again_in", wait.Round(time.Millisecond), "err", err)
}

// fail counts a failure of an attempt that began in an era. The caller holds l.mu.
func (l *lane) fail(era int, err error) {
	l.counts.Failures++
	l.a.metrics.failures.WithLabelValues(l.url).Inc()
	l.lastErr = err
	if era == l.era {
		l.era++
		l.failures++
		l.resume = time.Now().Add(l.a.backoff.after(l.failures))
	}
	kind := alarmKind(err)
	if kind == "" && l.failures >= failingAfter {
		kind = AlarmFailing
	}
	if kind == "" || l.stopped != nil {
		return
	}
	if l.alarm == nil || l.alarm.Kind != kind {
		l.alarm = &Alarm{Kind: kind, Since: time.Now().UTC()}
		l.a.opt.Logger.Error("alarm", "target", l.url, "kind", kind, "err", err)
	}
	l.alarm.Message = err.Error()
	if kind.final() && !l.waits(kind) {
		l.stopped = err
	}
}

// waits reports whether an alarm that ends a lane does not end this one: what was not
// the archive yet may become it, when its disk is mounted. What was it and is it no
// more is for a person to look at. The caller holds l.mu.
func (l *lane) waits(kind AlarmKind) bool {
	return kind == AlarmIdentity && l.id.ID == "" && !l.once
}

// settled ends the count of failures, and an alarm that time healed, where there is
// nothing to ship that would prove it.
func (l *lane) settled() {
	l.mu.Lock()
	empty := len(l.queue.jobs) == 0
	l.mu.Unlock()
	if empty {
		l.succeed()
	}
}

// succeed ends the count of failures, and an alarm that time healed.
func (l *lane) succeed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failures > 0 {
		l.era++
	}
	l.failures, l.resume, l.lastErr = 0, time.Time{}, nil
	if l.alarm != nil && l.stopped == nil {
		l.a.opt.Logger.Info("alarm ended", "target", l.url, "kind", l.alarm.Kind)
		l.alarm = nil
	}
}

// shipped notes that the target has a segment, and that there is a receipt.
func (l *lane) shipped(j *job, r outcome) {
	l.put(func() {
		l.queue.remove(j)
		l.done[j.ref] = struct{}{}
		l.last = time.Now().UTC()
		if r.sent {
			l.counts.Shipped++
			l.counts.Bytes += r.size
		} else {
			l.counts.Found++
		}
	})
	l.succeed()
	l.a.metrics.shipped(l.url, r)
	l.a.forget(j.ref)
	l.a.opt.Logger.Info("shipped", "segment", j.ref, "target", l.url, "bytes", r.size, "sent", r.sent, "took", r.took)
}

// result is why a lane that ended by itself did not ship everything.
func (l *lane) result() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.stopped, l.gaveUp)
}

// lacks reports whether a segment is in the queue.
func (l *lane) lacks(ref segment.Ref) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.queue.jobs[ref] != nil
}
