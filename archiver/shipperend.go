package archiver

import (
	"errors"
	"fmt"
	"time"

	"github.com/varve-db/varve/archiver/alarm"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/segment"
)

// failed notes a failed attempt.
func (l *shipper) failed(j *job, era int, err error) {
	if alarmKind(err) == alarm.Away && !errors.Is(err, target.ErrNoIdentity) {
		err = l.away(fmt.Errorf("%s: %w: %w", l.url, target.ErrNoIdentity, err))
	}
	var wait time.Duration
	l.put(func() {
		now, refusal := time.Now(), l.retreat.silence == 0
		j.tries++
		j.retreat.fail(l.a.backoff, now, refusal)
		wait = j.retreat.resume.Sub(now)
		l.queue.again(j)
		l.fail(era, err, refusal)
		switch {
		case l.hopeless(err) && l.stopped == nil:
			l.stopped = err
		case l.once && j.tries >= l.a.tries:
			l.queue.abandon(j)
			l.gaveUp = errors.Join(l.gaveUp, fmt.Errorf("segment %v: %w", j.ref, err))
		}
	})
	l.a.opt.Logger.Warn("segment not shipped; it will be tried again",
		"segment", j.ref, "target", l.url, "again_in", wait.Round(time.Millisecond), "err", err)
}

// fail counts a failure of an attempt that began in an era, and reports an alarm if it
// is one. refusal: see retreat. The caller holds l.mu.
func (l *shipper) fail(era int, err error, refusal bool) {
	l.counts.Failures++
	l.lastErr = err
	if era == l.era {
		l.era++
		l.failures++
		if now := time.Now(); l.retreat.due(now) {
			l.retreat.fail(l.a.backoff, now, refusal)
		}
	}
	kind := alarmKind(err)
	if kind == "" && l.failures >= failingAfter {
		kind = alarm.Failing
	}
	if kind == "" || l.stopped != nil {
		return
	}
	if l.alarm == nil || l.alarm.Kind != kind {
		l.alarm = &Alarm{Kind: kind, Since: time.Now().UTC()}
		if b := l.before; b != nil && b.Kind == kind {
			l.alarm.Since = b.Since
		}
		l.a.opt.Logger.Error("alarm", "target", l.url, "kind", kind, "err", err)
	}
	l.alarm.Message = err.Error()
	if kind.Final() {
		l.stopped = err
	}
}

// answered notes that the target is there and is the same archive: a silence is over. Where
// there is nothing to ship, nothing more can be known. The caller holds l.mu.
func (l *shipper) answered() {
	l.retreat.answered()
	l.queue.answered()
	if len(l.queue.jobs) == 0 {
		l.succeeded()
	}
}

// succeed is succeeded for a caller that does not hold l.mu.
func (l *shipper) succeed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.succeeded()
}

// succeeded ends the count of failures, and an alarm that needs no person. The caller holds
// l.mu.
func (l *shipper) succeeded() {
	if l.failures > 0 {
		l.era++
		l.queue.answered()
	}
	l.failures, l.lastErr = 0, nil
	if l.before != nil && l.before.Kind != alarm.Full { // only a segment that is shipped ends Full
		l.before = nil
	}
	l.retreat.succeed()
	if l.alarm != nil && l.stopped == nil {
		l.a.opt.Logger.Info("alarm ended", "target", l.url, "kind", l.alarm.Kind)
		l.alarm = nil
	}
}

// shipped notes that the target has a segment, and that there is a receipt.
func (l *shipper) shipped(j *job, r outcome) {
	l.put(func() {
		l.queue.remove(j)
		l.done[j.ref] = struct{}{}
		l.last, l.before = time.Now().UTC(), nil
		if r.sent {
			l.counts.Shipped++
			l.counts.Bytes += r.size
		} else {
			l.counts.Found++
		}
	})
	l.succeed()
	if r.sent {
		l.a.tell(Sent{URL: l.url, Segment: j.ref, Bytes: r.size, Took: r.took})
	}
	l.a.forget(j.ref)
	l.a.opt.Logger.Info("shipped", "segment", j.ref, "target", l.url, "bytes", r.size, "sent", r.sent, "took", r.took)
}

// result is why a shipper that ended by itself did not ship everything.
func (l *shipper) result() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.stopped, l.gaveUp, l.pruned)
}

// lacks reports whether a segment is in the queue.
func (l *shipper) lacks(ref segment.Ref) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.queue.jobs[ref] != nil
}
