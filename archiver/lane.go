package archiver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/varve-db/varve/segment"
)

// lane is all that concerns one target. What goes on in one lane holds up no other.
type lane struct {
	a      *Archiver
	target Target                                // nil: not open yet
	open   func(context.Context) (Target, error) // opens it
	url    string
	wake   chan struct{} // a token: something changed

	copying chan struct{} // holds two tokens: see turn

	mu      sync.Mutex
	id      Identity // zero: not known yet
	was     string   // the identity's ID when an archiver before this one reached the target; empty: not known
	done    map[segment.Ref]struct{}
	queue   queue
	running int
	once    bool // give up after Options.Tries

	// After a failure the lane pauses, and then sends one segment at a time until
	// one succeeds. Failures of attempts that began together count once.
	failures int       // in a row
	era      int       // counts the changes of failures
	resume   time.Time // not before

	alarm   *Alarm
	stopped error // why the lane ended for good
	gaveUp  error // on single segments
	lastErr error // of the last failure, until something succeeds
	last    time.Time
	counts  Counts
}

// Counts is what was done for a target since the archiver began.
type Counts struct {
	Shipped  int64 `json:"shipped"`  // segments sent
	Bytes    int64 `json:"bytes"`    // of those
	Found    int64 `json:"found"`    // segments that were there already
	Failures int64 `json:"failures"` // failed attempts
}

func newLane(a *Archiver, url string, t Target) *lane {
	a.metrics.begin(url)
	return &lane{a: a, target: t, url: url, wake: make(chan struct{}, 1), copying: make(chan struct{}, 2),
		done: map[segment.Ref]struct{}{}, queue: queue{jobs: map[segment.Ref]*job{}}}
}

// poke has run look again.
func (l *lane) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// begin finds out whether the target can be used, and what has been shipped there.
func (l *lane) begin(ctx context.Context) error {
	ctx, cancel := withTimeout(ctx, l.a.opt.Timeout)
	defer cancel()
	if err := l.reach(ctx); err != nil {
		return err
	}
	id, err := Identify(ctx, l.target)
	if err != nil {
		return err
	}
	if err := l.target.Probe(ctx); err != nil {
		return fmt.Errorf("%s: %w", l.url, err)
	}
	refs, err := l.a.receipts.Refs(id.ID)
	if err != nil {
		return fmt.Errorf("receipts: %w", err)
	}
	l.mu.Lock()
	if l.id.ID == "" {
		l.queue = queue{jobs: map[segment.Ref]*job{}} // of what it was thought to be
	}
	l.id = id
	clear(l.done)
	for _, r := range refs {
		l.done[r] = struct{}{}
	}
	l.mu.Unlock()
	l.a.opt.Logger.Info("archive", "target", l.url, "id", id.ID, "receipts", len(refs))
	l.offer()
	return nil
}

// recall has the receipts of the archive that the target was when it was last reached
// count until it is reached, so that what waits meanwhile is told. It is for a new lane.
func (l *lane) recall(s *Status) {
	i := slices.IndexFunc(s.Targets, func(t TargetStatus) bool { return t.URL == l.url && t.ID != "" })
	if i < 0 {
		return
	}
	refs, err := l.a.receipts.Refs(s.Targets[i].ID)
	if err != nil {
		return // begin says so
	}
	l.was = s.Targets[i].ID
	for _, r := range refs {
		l.done[r] = struct{}{}
	}
}

// reach opens the target, if it is not open.
func (l *lane) reach(ctx context.Context) error {
	if l.target != nil {
		return nil
	}
	t, err := l.open(ctx)
	if errors.Is(err, ErrNotExist) {
		err = fmt.Errorf("%w: %w", ErrNoIdentity, err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", l.url, err)
	}
	l.target = t
	return nil
}

// offer puts what the newest listing has and the target has not into the queue.
func (l *lane) offer() {
	list := l.a.fit()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue.update(list, func(r segment.Ref) bool {
		_, ok := l.done[r]
		return ok
	})
	l.poke()
}

// start is begin until it succeeds. first is told how the first attempt ended.
func (l *lane) start(ctx, work context.Context, first func(error)) error {
	for {
		err := l.begin(work)
		first(err)
		first = func(error) {}
		if err == nil {
			l.succeed()
			return nil
		}
		l.mu.Lock()
		l.fail(l.era, err)
		stop, resume := l.stopped != nil || l.hopeless(err), l.resume
		l.mu.Unlock()
		if stop || work.Err() != nil {
			return err
		}
		if !sleep(ctx, time.Until(resume)) {
			return context.Cause(ctx)
		}
	}
}

// hopeless reports whether a lane that is to give up at some time gives up now. The
// caller holds l.mu.
func (l *lane) hopeless(err error) bool {
	return l.once && (definite(err) || l.failures >= l.a.opt.Tries)
}

// run ships until ctx ends, until nothing is left if the lane is to be run once, or
// until the target stops. Uploads that have begun go on until work ends.
func (l *lane) run(ctx, work context.Context, first func(error)) error {
	if err := l.start(ctx, work, first); err != nil {
		return err
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	check := time.NewTicker(l.a.opt.Poll)
	defer check.Stop()
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		j, wait, over := l.next()
		if over {
			wg.Wait()
			return l.result()
		}
		if j != nil {
			wg.Go(func() { l.work(work, j) })
			continue
		}
		var timer <-chan time.Time
		if wait >= 0 {
			timer = time.After(wait)
		}
		select {
		case <-ctx.Done():
		case <-check.C:
			if l.quiet() {
				wg.Go(func() { l.check(work) })
			}
		case <-l.wake:
		case <-timer:
		}
	}
}

// next returns a job to begin now, or how long to wait for one, -1 for no known
// time; over says that none will come.
func (l *lane) next() (j *job, wait time.Duration, over bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped != nil {
		return nil, 0, true
	}
	most := l.a.opt.Parallel
	if l.failures > 0 {
		most = 1
	}
	if l.running >= most {
		return nil, -1, false
	}
	if left := time.Until(l.resume); left > 0 && l.failures > 0 && len(l.queue.jobs) > 0 {
		return nil, left, false
	}
	j, wait = l.queue.take()
	if j != nil {
		l.running++
		return j, 0, false
	}
	return nil, wait, l.once && wait < 0 && l.running == 0
}

// quiet reports whether nothing is sent, so that nobody else finds out if the target
// is still there. It begins a check of that, which counts as an upload.
func (l *lane) quiet() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running > 0 || l.once {
		return false
	}
	l.running++
	return true
}

// check looks whether the target is still the archive that it was.
func (l *lane) check(ctx context.Context) {
	ctx, cancel := withTimeout(ctx, l.a.opt.Timeout)
	defer cancel()
	l.mu.Lock()
	era := l.era
	l.mu.Unlock()
	err := l.identified(ctx)
	l.mu.Lock()
	l.running--
	if err != nil && ctx.Err() == nil {
		l.fail(era, err)
	}
	l.mu.Unlock()
	if err == nil {
		l.settled()
	}
	l.poke()
}

// identified returns an error if the target is not the archive that it was at the
// start.
func (l *lane) identified(ctx context.Context) error {
	is, err := Identify(ctx, l.target)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if is.ID != l.id.ID {
		return otherArchive(l.url, l.id, is)
	}
	return nil
}

// work ships one segment, and notes how that went.
func (l *lane) work(ctx context.Context, j *job) {
	l.mu.Lock()
	era, seg := l.era, j.seg
	l.mu.Unlock()
	result, err := l.ship(ctx, seg)
	switch {
	case err == nil:
		l.shipped(j, result)
	case ctx.Err() != nil: // told to end: the segment waits for the next start
		l.put(func() { l.queue.again(j, false, 0) })
	case errors.As(err, new(*sourceError)) || errors.Is(err, errGone):
		l.put(func() { l.queue.remove(j) }) // set aside, or listed again if it is there
	default:
		l.failed(j, era, err)
	}
	l.poke()
}

// put takes a job out of work.
func (l *lane) put(fn func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
	fn()
}

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

// sleep waits, and reports false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// errTimeout is wrapped by the error of an attempt that took too long.
var errTimeout = errors.New("gave up waiting for the target")

// withTimeout is context.WithTimeoutCause with a cause that says how long it was.
func withTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, d, fmt.Errorf("%w after %v", errTimeout, d))
}
