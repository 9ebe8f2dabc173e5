package archiver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/varve-db/varve/archiver/alarm"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/segment"
)

// firstLook is when the first look at the store comes, so that there soon is a status. All
// later looks are Options.Poll apart.
const firstLook = time.Second

// Run ships until ctx ends. Then it returns nil, once the uploads that had begun are done or
// Options.Grace is over. It ends by itself only if no target is left that it can go on with,
// and returns why: each has an alarm of a kind that stops it or, at the start, refuses access.
// A target that is not there, at the start or later, is an alarm, and is tried again until it
// is there.
func (a *Archiver) Run(ctx context.Context) error {
	end, err := a.begins(true)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	_ = a.scan() // the status has the error, and the next scan may succeed
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

// note writes the status, also after a scan that failed: the status has its error.
func (a *Archiver) note() {
	err := a.save()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.trouble(alarm.State, err)
}

// begin starts all shippers. The channel gets how they ended, when the last one has ended. If
// the first attempt to use the target fails for each of them, in a way that needs a person,
// all end at once.
func (a *Archiver) begin(ctx context.Context, once bool) <-chan []error {
	ctx, cancel := context.WithCancelCause(ctx)
	work, stop := a.grace(ctx)
	var mu sync.Mutex
	bad := 0
	first := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if k := alarmKind(err); k.Final() || k == alarm.Denied {
			bad++
		}
		if bad == len(a.shippers) {
			cancel(err)
		}
	}
	errs := make([]error, len(a.shippers))
	var wg sync.WaitGroup
	for i, l := range a.shippers {
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
			target.Sleep(work, a.opt.Grace)
		}
		cancel()
	})
	return work, func() { unhook(); cancel() }
}

// OnceReport is what Once did.
type OnceReport struct {
	Store   segment.UUID   `json:"store"`
	Targets []TargetReport `json:"targets"`
	Damaged []Damaged      `json:"damaged"` // segments that were set aside
	Took    time.Duration  `json:"took_ns"`
}

// TargetReport is what Once did for one target.
type TargetReport struct {
	URL string `json:"url"`
	ID  string `json:"id,omitempty"` // of its identity
	Counts
	Left      int    `json:"left"` // segments not shipped
	LeftBytes int64  `json:"left_bytes"`
	Error     string `json:"error,omitempty"`

	Alarm *Alarm `json:"alarm,omitempty"`
	Err   error  `json:"-"` // what Error says
}

// ErrSetAside is wrapped by the error of Once for segments that were not shipped
// because they are damaged or cannot be read.
var ErrSetAside = errors.New("segments were set aside")

// Once has the log sealed, ships what each target lacks, and returns. If something could not be
// shipped the error says what and why. It wraps the target's error, ErrSetAside for damage, and
// source.ErrBroken if the store does not open for writing. Everything else was shipped. Where
// another archiver is at work on a target, the error is an *AtWorkError, and nothing was done.
func (a *Archiver) Once(ctx context.Context) (_ OnceReport, err error) {
	begun := time.Now()
	end, err := a.begins(false)
	if err != nil {
		return OnceReport{}, err
	}
	defer func() { err = errors.Join(err, end()) }()
	m := a.ask(ctx) // which seals, too, so the writer is not asked twice
	var sealed error
	if a.opt.Sealer != nil {
		sealed = a.seal(ctx, 0)
	}
	a.lookAt(m)
	if err := a.scan(); err != nil {
		return OnceReport{}, errors.Join(sealed, err)
	}
	a.remember(m, a.newest())
	ended := <-a.begin(ctx, true)
	st := a.Status()
	r := OnceReport{Store: st.Store, Targets: []TargetReport{}, Damaged: st.Damaged, Took: time.Since(begun)}
	for i, t := range st.Targets {
		e := TargetReport{URL: t.URL, ID: t.ID, Counts: t.Counts, Left: t.Segments, LeftBytes: t.Bytes}
		e.Alarm, e.Err = t.Alarm, ended[i]
		if ended[i] != nil {
			e.Error = ended[i].Error()
		}
		r.Targets = append(r.Targets, e)
	}
	a.mu.Lock()
	broken := a.broken
	a.mu.Unlock()
	if broken != nil {
		sealed = nil // it could not be sealed for the same reason
	}
	return r, errors.Join(sealed, errors.Join(ended...), a.damage(), broken)
}

// damage returns the error for the segments that were set aside, nil for none. Of several
// files it names the first.
func (a *Archiver) damage() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var names []string
	for name := range a.skipped {
		names = append(names, name)
	}
	if len(names) == 0 {
		return nil
	}
	first := slices.Min(names)
	return fmt.Errorf("%w: %d, not shipped as they are: %w", ErrSetAside, len(names), a.skipped[first].err)
}
