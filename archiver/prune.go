package archiver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/varve-db/varve/segment"
)

// PruneOptions says how a store's archive is pruned.
type PruneOptions struct {
	Policy
	Grace   time.Duration // between the two phases; negative: none; zero: 24 hours
	DryRun  bool          // change nothing
	Explain bool          // say of every segment why it is kept or not
	Now     time.Time     // zero: the present
}

// defaultGrace is longer than any restore takes that could not pin what it reads.
const defaultGrace = 24 * time.Hour

// PruneReport is what a prune did, or, with DryRun, would do.
type PruneReport struct {
	Store   segment.UUID `json:"store"`
	Time    time.Time    `json:"time"`
	DryRun  bool         `json:"dry_run"`
	Backups []uint64     `json:"backups"` // given up by the policy, and deleted
	Deleted Amount       `json:"deleted"` // by the second phase of earlier prunes
	Planned Amount       `json:"planned"` // by the first phase: what a prune after Due may delete
	Due     time.Time    `json:"due,omitzero"`
	Waiting Amount       `json:"waiting"` // planned by earlier prunes whose grace is not over
	Kept    Amount       `json:"kept"`
	Notes   []string     `json:"notes,omitempty"`   // what was left alone, and why
	Explain []Explained  `json:"explain,omitempty"` // with PruneOptions.Explain, in order of timeline and id
}

// Amount counts segments.
type Amount struct {
	Segments int   `json:"segments"`
	Bytes    int64 `json:"bytes"`
}

// Prune deletes from the archive of a store what nothing needs any more: no backup,
// no restore that runs, no point in time in the window, and not the newest state
// of any tip.
//
// It works in two phases. The first writes down what could go. The second, in
// the first prune after the grace, finds out anew what is needed, and deletes what
// both say: it first says that it has begun, then reads the pins once more, and
// spares what they need; each segment that it deleted gets a marker. So whoever relied on
// a segment when it was written down, or begins to meanwhile, has the grace or a pin to
// protect it. Backups that the policy gives up are deleted at once; their segments
// go through both phases.
//
// It works on a target without room: it deletes before it writes, and what the first
// phase needs it takes from the reserve of the archive, which it makes again once there
// is room.
//
// Where the word of an object decides and the object cannot be read, the error is
// an *UnreadableError for each such object, and nothing is changed. What is not
// of this store, or cannot be read, is never deleted.
func Prune(ctx context.Context, a *Archive, store segment.UUID, o PruneOptions) (*PruneReport, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	p := &pruner{a: a, store: store, o: o, now: cmp.Or(o.Now, time.Now()).UTC()}
	p.grace = max(0, cmp.Or(o.Grace, defaultGrace))
	p.rep = &PruneReport{Store: store, Time: p.now, DryRun: o.DryRun, Backups: []uint64{}}
	if err := p.read(ctx); err != nil {
		return nil, err
	}
	if err := p.judge(ctx); err != nil {
		return nil, err
	}
	if err := p.removeVoid(ctx); err != nil {
		return p.rep, err
	}
	if err := p.secondPhase(ctx); err != nil {
		return p.rep, err
	}
	if err := p.firstPhase(ctx); err != nil {
		return p.rep, err
	}
	if !o.DryRun {
		if err := a.makeReserve(ctx); err != nil {
			return p.rep, err
		}
	}
	p.rep.Kept = p.amount(p.h.have.minus(p.free))
	if o.Explain {
		p.explain()
	}
	return p.rep, nil
}

// pruner is one prune.
type pruner struct {
	a     *Archive
	store segment.UUID
	o     PruneOptions
	now   time.Time
	grace time.Duration
	rep   *PruneReport

	h        *history
	names    *backupNames
	backups  []*Backup // that stay
	surplus  []*Backup // that the policy gives up
	plans    []*prunePlan
	void     []string // names of objects that say nothing any more
	newDrops []Drop   // tips that this prune gives up

	claims  claims
	free    *refSet // what nobody needs
	deleted *refSet // of free: deleted by the second phase, or, with DryRun, what would be
	spared  *refSet // of free: left alone by the second phase
}

// read reads all that decides. It changes nothing.
func (p *pruner) read(ctx context.Context) error {
	var err error
	if p.names, err = p.a.backupNames(ctx, p.store); err != nil {
		return err
	}
	all, err := p.a.readBackups(ctx, p.store, p.names.ids)
	if err != nil {
		return fmt.Errorf("nothing was deleted: %w", err)
	}
	var cuts []string
	if n := len(all); n > 0 {
		cuts = p.a.cuts(all[n-1])
	}
	p.surplus = p.o.surplus(all, p.now)
	p.backups = slices.DeleteFunc(all, func(b *Backup) bool { return slices.Contains(p.surplus, b) })
	var strays []uint64
	if p.plans, strays, err = p.a.plansAndStrays(ctx, p.store); err != nil {
		return fmt.Errorf("nothing was deleted: %w", err)
	}
	for _, id := range strays {
		if time.Unix(0, int64(id)).Before(p.now.Add(-tempAge)) { // else the plan may be on its way
			p.void = append(p.void, planName(p.store, id, "wait"))
		}
	}
	if p.h, err = readTree(ctx, p.a, p.store, cuts); err != nil {
		return fmt.Errorf("nothing was deleted: %w", err)
	}
	return nil
}

// judge finds out what is needed. It changes nothing.
func (p *pruner) judge(ctx context.Context) error {
	var err error
	if p.newDrops, err = p.h.dropsOf(ctx, p.o.DropTips, dropsIn(p.plans)); err != nil {
		return err
	}
	for _, plan := range p.plans {
		if len(plan.Segments) == 0 && !slices.ContainsFunc(plan.Drops, p.h.counts) {
			p.void = append(p.void, plan.object())
		}
	}
	for _, b := range slices.Concat(p.backups, p.surplus) {
		p.h.lived.addRuns(b.Segments)
	}
	pins, ended, err := p.a.pins(ctx, p.store, p.now)
	if err != nil {
		return fmt.Errorf("nothing was deleted: %w", err)
	}
	for _, pin := range ended {
		p.void = append(p.void, pin.object())
	}
	begin := time.Time{}
	if p.o.Window > 0 {
		begin = p.now.Add(-p.o.Window)
	}
	if err := p.h.claimHistory(ctx, &p.claims, begin, p.grace); err != nil {
		return fmt.Errorf("nothing was deleted: %w", err)
	}
	p.claims.addPins(p.backups, pins)
	if err := p.readHeartbeats(ctx); err != nil {
		return err
	}
	p.free = p.h.have.minus(&p.claims.all)
	p.deleted, p.spared = &refSet{}, &refSet{}
	for _, t := range slices.Sorted(maps.Keys(p.h.branches)) {
		for _, name := range p.h.branches[t].Unknown {
			p.rep.Notes = append(p.rep.Notes, p.a.at(name)+": not a name of varve's; left alone")
		}
	}
	return nil
}

// removeVoid deletes what says nothing any more: pins that have ended, tips that were given
// up and went on, what is left of a plan that was never written, heartbeats that a newer one
// has taken the place of, or of timelines of which nothing is there.
func (p *pruner) removeVoid(ctx context.Context) error {
	if p.o.DryRun {
		return nil
	}
	return fanOut(ctx, pruneParallel, len(p.void), func(ctx context.Context, i int) error {
		return p.a.target.Delete(ctx, p.void[i])
	})
}

// firstPhase writes down the tips that are given up, and what nobody needs and no earlier
// prune has written down, and deletes the backups that are given up.
func (p *pruner) firstPhase(ctx context.Context) error {
	for _, b := range p.surplus {
		p.rep.Backups = append(p.rep.Backups, b.ID)
	}
	waiting := &refSet{}
	for _, plan := range p.plans {
		if p.now.Before(plan.due(p.grace)) {
			waiting.addRuns(plan.Segments)
		}
	}
	left := p.free.minus(p.deleted)
	fresh := left.minus(p.spared).minus(waiting)
	p.rep.Waiting = p.amount(left.and(waiting))
	p.rep.Planned = p.amount(fresh)
	if fresh.len() > 0 {
		p.rep.Due = p.now.Add(p.grace)
	}
	if p.o.DryRun {
		return nil
	}
	if err := p.writeDown(ctx, fresh); err != nil {
		return fmt.Errorf("write down what can be deleted: %w", err)
	}
	return p.deleteBackups(ctx, slices.Concat(p.names.leftover, p.rep.Backups))
}

// writeDown writes the plans of this prune: first of the tips, without which the segments
// are needed.
func (p *pruner) writeDown(ctx context.Context, fresh *refSet) error {
	for _, plan := range []*prunePlan{
		{Drops: p.newDrops},
		{Bytes: p.rep.Planned.Bytes, Segments: fresh.normal()},
	} {
		if len(plan.Drops)+len(plan.Segments) == 0 {
			continue
		}
		plan.Store, plan.Made = p.store, p.now
		if err := p.a.inReserve(ctx, func() error { return p.a.putPlan(ctx, plan) }); err != nil {
			return err
		}
	}
	return nil
}

// deleteBackups deletes manifests. Where there is no room for the markers of many at a
// time, there is for one after the other, since each manifest makes room.
func (p *pruner) deleteBackups(ctx context.Context, ids []uint64) error {
	err := fanOut(ctx, pruneParallel, len(ids), func(ctx context.Context, i int) error {
		return p.a.deleteBackup(ctx, p.store, ids[i])
	})
	if !errors.Is(err, ErrFull) {
		return err
	}
	for _, id := range ids {
		if err := p.a.deleteBackup(ctx, p.store, id); err != nil {
			return err
		}
	}
	return nil
}

// amount counts a set of segments that are there.
func (p *pruner) amount(set *refSet) (n Amount) {
	for _, r := range set.normal() {
		b := p.h.branches[r.Timeline]
		i, _ := find(b.Segments, r.First)
		for _, s := range b.Segments[i : i+int(r.Count)] {
			n.Segments++
			n.Bytes += s.Size
		}
	}
	return n
}
