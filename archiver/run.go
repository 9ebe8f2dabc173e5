package archiver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/varve-db/varve/segment"
)

// firstLook is when the first of the looks comes that are Options.Poll apart, so that
// whoever asks for the status finds one.
const firstLook = time.Second

// Run ships until ctx ends, and then returns nil once the uploads that had begun are
// done, or Options.Grace is over. It ends by itself only if no target is left that
// it can go on with, and returns why: each has an alarm of a kind that stops it or, at the
// start, refuses access. A target that is not there, at the start or later, is an alarm, and
// is tried again until it is.
func (a *Archiver) Run(ctx context.Context) error {
	end, err := a.begins(true)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	_ = a.scan() // the status says so, and the next one may fare better
	results := a.begin(ctx, false)
	var sealer sync.WaitGroup
	if a.opt.Sealer != nil && a.opt.SealAfter > 0 {
		sealer.Go(func() { a.sealByAge(ctx) })
	}
	if a.opt.Barrier != nil {
		sealer.Go(func() { a.pulse(ctx) })
	}
	poll := time.NewTicker(min(a.opt.Poll, firstLook))
	defer poll.Stop()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		select {
		case errs := <-results:
			ended := ctx.Err() != nil
			cancel()
			sealer.Wait()
			if ended {
				return end()
			}
			return errors.Join(errors.Join(errs...), end())
		case <-poll.C:
			poll.Reset(a.opt.Poll)
			_ = a.scan()
		case <-a.opt.Notify:
			_ = a.scan()
		case <-beat.C:
		}
		if ctx.Err() == nil {
			a.note()
		}
	}
}

// note writes the status, also where the scan failed: it says so.
func (a *Archiver) note() {
	err := a.save()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.trouble(AlarmState, err)
}

// begin starts all lanes. The channel gets how they ended, when the last one has. If
// the first attempt to use a target fails on each of them, and a person has to look, they
// all end at once.
func (a *Archiver) begin(ctx context.Context, once bool) <-chan []error {
	ctx, cancel := context.WithCancelCause(ctx)
	work, stop := a.grace(ctx)
	var mu sync.Mutex
	bad := 0
	first := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if k := alarmKind(err); k.final() || k == AlarmDenied {
			bad++
		}
		if bad == len(a.lanes) {
			cancel(err)
		}
	}
	errs := make([]error, len(a.lanes))
	var wg sync.WaitGroup
	for i, l := range a.lanes {
		l.mu.Lock()
		l.once, l.stopped, l.gaveUp = once, nil, nil
		l.mu.Unlock()
		wg.Go(func() { errs[i] = l.run(ctx, work, first) })
	}
	results := make(chan []error, 1)
	go func() {
		wg.Wait()
		stop()
		cancel(nil)
		results <- errs
	}()
	return results
}

// grace returns a context that outlives ctx by Options.Grace, for what has begun.
func (a *Archiver) grace(ctx context.Context) (context.Context, context.CancelFunc) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	unhook := context.AfterFunc(ctx, func() {
		if a.opt.Grace > 0 {
			sleep(work, a.opt.Grace)
		}
		cancel()
	})
	return work, func() { unhook(); cancel() }
}

// scan lists the store's folder, and hands every lane what it lacks.
func (a *Archiver) scan() error {
	begun := time.Now()
	unsealed, unread := a.source.oldestUnsealed() // before the listing, so that what is sealed meanwhile is in one of both
	found, err := a.source.Segments()
	var broken error
	if err == nil {
		broken = a.standing.judge(a.opt.Store, found.state)
	}
	a.mu.Lock()
	if err == nil {
		err = a.adopt(found)
	}
	a.trouble(AlarmStore, errors.Join(err, unread))
	if err == nil {
		a.broken = broken
		a.trouble(AlarmBroken, broken)
	}
	if err == nil && unread == nil {
		a.looked, a.unsealed = begun.UTC(), unsealed
	}
	a.mu.Unlock()
	if err != nil {
		return err
	}
	for _, l := range a.lanes {
		l.offer()
	}
	a.readDrill()
	return nil
}

// adopt makes a listing the newest, if it is of the same store as the one before. The
// caller holds a.mu.
func (a *Archiver) adopt(found *Listing) error {
	was := a.listing.Store
	if was != (segment.UUID{}) && found.Store != was {
		if found.Store == (segment.UUID{}) {
			return fmt.Errorf("the store's folder holds no segments any more, and had %d of store %v; mount it, or restore it", len(a.listing.Segments), was)
		}
		return fmt.Errorf("the store's folder holds segments of store %v now, and was that of %v; start the archiver again if this is meant", found.Store, was)
	}
	a.listing = found
	for _, name := range found.Ignored {
		if !a.noted[name] {
			a.noted[name] = true
			a.opt.Logger.Warn("not shipped: a segment of another store, or a second file of the same segment", "file", name)
		}
	}
	there := map[string]bool{}
	for _, g := range found.Damaged {
		there[g.Name] = true
		a.putAside(g, g.Err)
	}
	for _, g := range found.Segments {
		there[g.Name] = true
	}
	for name := range a.aside {
		if !there[name] {
			delete(a.aside, name)
		}
	}
	return nil
}

// trouble notes an alarm of the store's side, or that there is none of the kind any
// more. The caller holds a.mu.
func (a *Archiver) trouble(kind AlarmKind, err error) {
	t, ok := a.troubles[kind]
	switch {
	case err == nil && ok:
		delete(a.troubles, kind)
		a.opt.Logger.Info("alarm ended", "kind", kind)
	case err != nil && !ok:
		a.opt.Logger.Error("alarm", "kind", kind, "err", err)
		t = Alarm{Kind: kind, Since: time.Now().UTC()}
		fallthrough
	case err != nil:
		t.Message = err.Error()
		a.troubles[kind] = t
	}
}

// sealByAge has the store's log sealed whenever it holds objects older than
// Options.SealAfter, until ctx ends.
func (a *Archiver) sealByAge(ctx context.Context) {
	for wait := time.Duration(0); sleep(ctx, wait); {
		wait = a.opt.Poll
		log, age, ok, err := a.source.Unsealed()
		if err == nil && ok && age >= a.opt.SealAfter {
			a.opt.Logger.Info("the log is sealed by age", "log", log, "age", age.Round(time.Second))
			err = a.seal(ctx, a.opt.SealAfter)
			ok = false
		}
		if ok {
			wait = min(wait, max(a.opt.SealAfter-age, 100*time.Millisecond))
		}
		if ctx.Err() == nil {
			a.mu.Lock()
			a.trouble(AlarmSeal, err)
			a.mu.Unlock()
		}
	}
}

// sealTimeout bounds how long the writer may take to seal its log.
const sealTimeout = 30 * time.Second

// seal has the store's log sealed.
func (a *Archiver) seal(ctx context.Context, olderThan time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, sealTimeout, fmt.Errorf("it was not done within %v", sealTimeout))
	defer cancel()
	if err := a.opt.Sealer.Seal(ctx, olderThan); err != nil {
		return fmt.Errorf("seal the log: %w", err)
	}
	return nil
}
