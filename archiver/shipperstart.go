package archiver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/varve-db/varve/archiver/source"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/segment"
)

// begin finds out whether the target can be used, and what has been shipped there.
func (l *shipper) begin(ctx context.Context) error {
	ctx, cancel := target.WithTimeout(ctx, l.a.timeout.For(0))
	defer cancel()
	if err := l.reach(ctx); err != nil {
		return err
	}
	id, err := target.Identify(ctx, l.target)
	if err != nil {
		return err
	}
	refs, err := l.a.receipts.Refs(id.ID)
	if err != nil {
		return fmt.Errorf("receipts: %w", err)
	}
	if err := l.mayBe(id, refs); err != nil {
		return err
	}
	if err := l.target.Probe(ctx); err != nil {
		return fmt.Errorf("%s: %w", l.url, err)
	}
	l.mu.Lock()
	if l.id.ID == "" {
		l.queue = queue{jobs: map[segment.Ref]*job{}} // the queue so far was that of another archive
	}
	l.id = id
	clear(l.done)
	for _, r := range refs {
		l.done[r] = struct{}{}
	}
	l.mu.Unlock()
	l.a.opt.Logger.Info("archive", "target", l.url, "id", id.ID, "receipts", len(refs))
	if err := l.a.save(); err != nil { // before anything is shipped, so that the next start knows which archive it was
		return fmt.Errorf("the status cannot be written: %w", err)
	}
	l.mu.Lock()
	l.asked = time.Time{}
	l.mu.Unlock()
	if err := l.lookGivenUp(ctx); err != nil {
		return err
	}
	l.offer()
	return nil
}

// reread reads all receipts, once. A start reads only their names, to be fast; reread runs
// beside the shipping. A damaged receipt is no receipt: the target is asked for the segment, if
// the store has it, and a new one is written.
func (l *shipper) reread(ctx context.Context) {
	l.mu.Lock()
	refs := slices.SortedFunc(maps.Keys(l.done), segment.Ref.Compare)
	l.mu.Unlock()
	for _, ref := range refs {
		if ctx.Err() != nil {
			return
		}
		_, _, err := l.a.receipts.Get(l.id.ID, ref)
		if _, damaged := errors.AsType[*receipt.DamagedError](err); !damaged {
			continue // any other error is reported where the receipt is needed
		}
		l.a.opt.Logger.Warn("damaged receipt", "target", l.url, "err", err)
		l.mu.Lock()
		delete(l.done, ref)
		l.mu.Unlock()
		l.offer()
	}
}

// mayBe refuses another archive in the place of the one that an archiver last reached there. It
// allows one in Options.Accept. It also allows one that has receipts, such as the other of two
// disks that are mounted there in turn.
func (l *shipper) mayBe(id target.Identity, refs []segment.Ref) error {
	if l.was == "" || l.was == id.ID || slices.Contains(l.a.opt.Accept, id.ID) {
		return nil
	}
	if len(refs) > 0 {
		l.a.opt.Logger.Warn("another archive than last time, which has been shipped to before", "target", l.url, "id", id.ID, "was", l.was)
		return nil
	}
	return &target.OtherArchiveError{URL: l.url, Was: l.was, Is: id}
}

// recall takes over the receipts of the archive that the target was when it was last reached, so
// that the status shows what waits until the target is reached again. It is for a new shipper.
func (l *shipper) recall(s *Status) {
	i := slices.IndexFunc(s.Targets, func(t TargetStatus) bool { return t.URL == l.url && t.ID != "" })
	if i < 0 {
		return
	}
	l.was, l.last, l.before = s.Targets[i].ID, s.Targets[i].Last, s.Targets[i].Alarm
	refs, err := l.a.receipts.Refs(l.was)
	if err != nil {
		return // begin reports it
	}
	for _, r := range refs {
		l.done[r] = struct{}{}
	}
}

// reach opens the target, if it is not open.
func (l *shipper) reach(ctx context.Context) error {
	if l.target != nil {
		return nil
	}
	t, err := l.open(ctx)
	if errors.Is(err, target.ErrNotExist) {
		err = fmt.Errorf("%w: %w", target.ErrNoIdentity, err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", l.url, err)
	}
	l.target = t
	return nil
}

// offer puts the segments of the newest listing that the target lacks into the queue.
func (l *shipper) offer() {
	list := l.a.fit()
	l.mu.Lock()
	l.queue.update(list, func(r segment.Ref) bool {
		_, ok := l.done[r]
		return ok
	})
	j := l.queue.first()
	unknown := j != nil && j.first == 0
	var seg source.Sealed
	if unknown {
		seg = j.seg
	}
	l.mu.Unlock()
	if unknown {
		first := l.a.source.FirstCommit(&seg)
		l.mu.Lock()
		j.first = first
		l.mu.Unlock()
	}
	l.poke()
}

// start repeats begin until it succeeds. first is called with how the first attempt ended.
func (l *shipper) start(ctx, work context.Context, first func(error)) error {
	for {
		err := l.away(l.begin(work))
		first(err)
		first = func(error) {}
		if err == nil {
			l.succeed()
			return nil
		}
		l.mu.Lock()
		l.fail(l.era, err, false)
		stop, resume := l.stopped != nil || l.hopeless(err), l.retreat.resume
		l.mu.Unlock()
		if stop || work.Err() != nil {
			return err
		}
		if !target.Sleep(ctx, min(time.Until(resume), l.a.opt.Poll)) { // an attempt costs little, and a user who mounts a disk waits for it
			return context.Cause(ctx)
		}
	}
}

// hopeless reports whether a shipper that may give up gives up now. The caller holds l.mu.
func (l *shipper) hopeless(err error) bool {
	return l.once && (definite(err) || l.failures >= l.a.tries)
}

// identified returns an error if the target is not the archive that it was at the
// start.
func (l *shipper) identified(ctx context.Context) error {
	is, err := target.Identify(ctx, l.target)
	if err != nil {
		return l.away(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if is.ID != l.id.ID {
		return &target.OtherArchiveError{URL: l.url, Was: l.id.ID, Is: is}
	}
	return nil
}

// away adds to the error for a target without an archive the ID of the archive that was there.
func (l *shipper) away(err error) error {
	if !errors.Is(err, target.ErrNoIdentity) {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return &AwayError{l.url, cmp.Or(l.id.ID, l.was), err}
}
