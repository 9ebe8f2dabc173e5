package archiver

import (
	"cmp"
	"context"
	"fmt"
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
// both say: for each segment it first writes a marker, then reads the pins
// once more, and spares what they need. So whoever relied on a segment when it
// was written down, or begins to meanwhile, has the grace or a pin to protect
// it. Backups that the policy gives up are deleted at once; their segments
// go through both phases.
//
// Where the word of an object decides and the object cannot be read, the error is
// an *UnreadableError for each such object, and nothing is changed. What is not
// of this store, or cannot be read, is never deleted.
func (a *Archive) Prune(ctx context.Context, store segment.UUID, o PruneOptions) (*PruneReport, error) {
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
	if err := p.secondPhase(ctx); err != nil {
		return p.rep, err
	}
	if err := p.firstPhase(ctx); err != nil {
		return p.rep, err
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
	drops    []Drop // of earlier prunes, and of this one
	newDrops []Drop // of this one

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
	if p.plans, err = p.a.prunePlans(ctx, p.store); err != nil {
		return fmt.Errorf("nothing was deleted: %w", err)
	}
	if p.h, err = p.a.history(ctx, p.store, cuts); err != nil {
		return fmt.Errorf("nothing was deleted: %w", err)
	}
	return nil
}

// judge finds out what is needed. It changes nothing.
func (p *pruner) judge(ctx context.Context) error {
	for _, plan := range p.plans {
		p.drops = append(p.drops, plan.Drops...)
	}
	var err error
	if p.newDrops, err = p.h.dropsOf(ctx, p.o.DropTips, p.drops); err != nil {
		return err
	}
	for _, b := range slices.Concat(p.backups, p.surplus) {
		p.h.lived.addRuns(b.Segments)
	}
	pins, err := p.a.pins(ctx, p.store, p.now)
	if err != nil {
		return fmt.Errorf("nothing was deleted: %w", err)
	}
	begin := time.Time{}
	if p.o.Window > 0 {
		begin = p.now.Add(-p.o.Window)
	}
	if err := p.h.claimHistory(ctx, &p.claims, begin, p.grace); err != nil {
		return fmt.Errorf("nothing was deleted: %w", err)
	}
	p.claims.addPins(p.backups, pins)
	p.free = p.h.have.minus(&p.claims.all)
	p.deleted, p.spared = &refSet{}, &refSet{}
	for _, t := range keysOf(p.h.branches) {
		for _, name := range p.h.branches[t].Unknown {
			p.rep.Notes = append(p.rep.Notes, p.a.at(name)+": not a name of varve's; left alone")
		}
	}
	return nil
}

// firstPhase deletes the backups that are given up, and writes down what nobody
// needs and no earlier prune has written down.
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
	fresh := p.free.minus(p.deleted).minus(p.spared).minus(waiting)
	p.rep.Waiting = p.amount(p.free.minus(p.deleted).minus(p.free.minus(waiting)))
	p.rep.Planned = p.amount(fresh)
	if fresh.len() > 0 {
		p.rep.Due = p.now.Add(p.grace)
	}
	if p.o.DryRun {
		return nil
	}
	if fresh.len() > 0 {
		plan := &prunePlan{Store: p.store, Made: p.now, Drops: p.newDrops, Bytes: p.rep.Planned.Bytes, Segments: fresh.normal()}
		if err := p.a.putPlan(ctx, plan); err != nil {
			return fmt.Errorf("write down what can be deleted: %w", err)
		}
	}
	given := slices.Clone(p.names.leftover)
	given = append(given, p.rep.Backups...)
	return fanOut(ctx, pruneParallel, len(given), func(ctx context.Context, i int) error {
		return p.a.deleteBackup(ctx, p.store, given[i])
	})
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
