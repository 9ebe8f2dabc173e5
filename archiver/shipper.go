package archiver

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/segment"
)

// shipper ships to one target. Shippers do not wait for each other.
type shipper struct {
	a      *Archiver
	target target.Target                                // nil: not open yet
	open   func(context.Context) (target.Target, error) // opens it
	url    string
	wake   chan struct{} // a token: something changed

	mu      sync.Mutex
	id      target.Identity // zero: not known yet
	was     string          // the identity's ID when an archiver before this one reached the target; empty: not known
	done    map[segment.Ref]struct{}
	queue   queue
	running int
	once    bool // give up after Archiver.tries

	// After a failure the shipper retreats, and then sends one segment at a time until one
	// succeeds. Failures of attempts that began together count once.
	failures int // in a row
	era      int // counts the changes of failures
	retreat  retreat

	alarm   *Alarm
	before  *Alarm // of the archiver that was at work before, until the target works again
	stopped error  // why the shipper ended for good
	gaveUp  error  // on single segments
	lastErr error  // of the last failure, until something succeeds
	last    time.Time
	through time.Time // all commits up to then are archived, when that was last known
	counts  Counts

	beaten time.Time // the moment of the last heartbeat
	kept   bool      // the target did not let one be removed

	asked       time.Time // when it was last found out whether the store was given up
	pruned      error     // it was: see lookGivenUp
	prunedSince time.Time
}

// Counts is what was done for a target since the archiver began.
type Counts struct {
	Shipped  int64 `json:"shipped"`  // segments sent
	Bytes    int64 `json:"bytes"`    // of those
	Found    int64 `json:"found"`    // segments that were there already
	Failures int64 `json:"failures"` // failed attempts
}

func newShipper(a *Archiver, url string, t target.Target) *shipper {
	return &shipper{a: a, target: t, url: url, wake: make(chan struct{}, 1),
		done: map[segment.Ref]struct{}{}, queue: queue{jobs: map[segment.Ref]*job{}}}
}

// poke makes run look again.
func (l *shipper) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run ships until ctx ends, until nothing is left if the shipper is to run once, or until the
// target stops. Uploads that have begun go on until work ends.
func (l *shipper) run(ctx, work context.Context, first func(error)) error {
	if err := l.start(ctx, work, first); err != nil {
		return err
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	if !l.once {
		wg.Go(func() { l.reread(ctx) })
	}
	check := time.NewTicker(l.a.opt.Poll)
	defer check.Stop()
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		j, wait, over := l.next()
		if over {
			wg.Wait()
			if l.once {
				l.beat(work)
			}
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
func (l *shipper) next() (j *job, wait time.Duration, over bool) {
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
	if now := time.Now(); !l.retreat.due(now) && len(l.queue.jobs) > 0 {
		return nil, l.retreat.resume.Sub(now), false
	}
	j, wait = l.queue.take()
	if j != nil {
		l.running++
		return j, 0, false
	}
	return nil, wait, l.once && wait < 0 && l.running == 0
}

// quiet reports whether nothing is being sent, so that nothing else shows whether the target
// is still there. If so, it begins a check of that, which counts as an upload.
func (l *shipper) quiet() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running > 0 || l.once {
		return false
	}
	l.running++
	return true
}

// check looks whether the target is still the archive that it was.
func (l *shipper) check(ctx context.Context) {
	ctx, cancel := target.WithTimeout(ctx, l.a.timeout.For(0))
	defer cancel()
	l.mu.Lock()
	era := l.era
	l.mu.Unlock()
	err := l.identified(ctx)
	if err == nil {
		err = l.lookGivenUp(ctx)
	}
	l.mu.Lock()
	l.running--
	switch {
	case err == nil:
		l.answered()
	case ctx.Err() == nil:
		l.fail(era, err, false)
	}
	l.mu.Unlock()
	if err == nil {
		l.beat(ctx)
	}
	l.poke()
}

// work ships one segment, and notes the result.
func (l *shipper) work(ctx context.Context, j *job) {
	l.mu.Lock()
	era, seg := l.era, j.seg
	l.mu.Unlock()
	result, err := l.ship(ctx, seg)
	switch {
	case err == nil:
		l.shipped(j, result)
	case ctx.Err() != nil: // told to end: the segment waits for the next start
		l.put(func() { l.queue.again(j) })
	case errors.As(err, new(*sourceError)) || errors.Is(err, errGone):
		l.put(func() { l.queue.remove(j) }) // set aside, or listed again if it is there
	default:
		l.failed(j, era, err)
	}
	l.poke()
}

// put takes a job out of work.
func (l *shipper) put(fn func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
	fn()
}
