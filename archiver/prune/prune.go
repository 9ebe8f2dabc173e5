package prune

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/internal/parallel"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/statefile"
	"github.com/varve-db/varve/segment"
)

// Options says how a store's archive is pruned.
type Options struct {
	Policy
	Grace   time.Duration // between the two phases; negative: none; zero: 24 hours
	DryRun  bool          // change nothing
	Explain bool          // say of every segment why it is kept or not
	Now     time.Time     // zero: the present
}

// defaultGrace is longer than a restore takes. One that cannot pin what it reads has only the
// grace.
const defaultGrace = 24 * time.Hour

// Report is what a prune did, or, with DryRun, would do.
type Report struct {
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
	Explain []Explained  `json:"explain,omitempty"` // with Options.Explain, in order of timeline and id
}

// Amount counts segments.
type Amount struct {
	Segments int   `json:"segments"`
	Bytes    int64 `json:"bytes"`
}

// Run deletes from the archive of a store what nothing needs any more: no backup,
// no restore that runs, no point in time in the window, and not the newest state
// of any tip.
//
// It works in two phases. The first writes down what could go. The second, in the first prune
// after the grace, finds out anew what is needed, and deletes what was not needed both times. It
// first notes that it has begun, then reads the pins once more, and spares what they need. Each
// segment that it deleted gets a marker. So what needs a segment then, or begins to need it
// later, is protected by the grace or by a pin. Backups that the policy gives up are deleted at
// once; their segments go through both phases.
//
// It works on a full target: it deletes before it writes, and the first phase uses the reserve
// of the archive, which is made again once there is room.
//
// If an object that decides what is kept cannot be read, the error is an
// *archive.UnreadableError for it, and nothing is changed. What is not of this store, or
// cannot be read, is never deleted.
func Run(ctx context.Context, a *archive.Archive, store segment.UUID, o Options) (*Report, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	p := &pruner{a: a, store: store, o: o, now: cmp.Or(o.Now, time.Now()).UTC()}
	p.grace = max(0, cmp.Or(o.Grace, defaultGrace))
	p.rep = &Report{Store: store, Time: p.now, DryRun: o.DryRun, Backups: []uint64{}}
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
		if err := a.MakeReserve(ctx); err != nil {
			return p.rep, err
		}
	}
	p.rep.Kept = p.amount(p.h.have.Minus(p.free))
	if o.Explain {
		p.explain()
	}
	return p.rep, nil
}

// pruner is one prune.
type pruner struct {
	a     *archive.Archive
	store segment.UUID
	o     Options
	now   time.Time
	grace time.Duration
	rep   *Report

	h        *tree
	names    *archive.BackupNames
	backups  []*archive.Backup // that stay
	surplus  []*archive.Backup // that the policy gives up
	plans    []*archive.PrunePlan
	void     []string       // names of objects that say nothing any more
	newDrops []archive.Drop // tips that this prune gives up

	roots   roots
	free    segment.Set // what is not needed
	deleted segment.Set // of free: deleted by the second phase, or, with DryRun, what would be
	spared  segment.Set // of free: left alone by the second phase
}

// read reads all that decides. It changes nothing.
func (p *pruner) read(ctx context.Context) error {
	var err error
	if p.names, err = p.a.BackupNames(ctx, p.store); err != nil {
		return err
	}
	all, err := p.a.ReadBackups(ctx, p.store, p.names.Ids)
	if err != nil {
		return fmt.Errorf("nothing was deleted: %w", err)
	}
	var cuts []string
	if n := len(all); n > 0 {
		cuts = p.a.Cuts(all[n-1])
	}
	p.surplus = p.o.surplus(all, p.now)
	p.backups = slices.DeleteFunc(all, func(b *archive.Backup) bool { return slices.Contains(p.surplus, b) })
	var strays []uint64
	if p.plans, strays, err = p.a.PlansAndStrays(ctx, p.store); err != nil {
		return fmt.Errorf("nothing was deleted: %w", err)
	}
	for _, id := range strays {
		if time.Unix(0, int64(id)).Before(p.now.Add(-statefile.TempAge)) { // else its plan may still be written
			p.void = append(p.void, archive.PlanName(p.store, id, "wait"))
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
	if p.newDrops, err = p.h.dropsOf(ctx, p.o.DropTips, archive.DropsIn(p.plans)); err != nil {
		return err
	}
	for _, plan := range p.plans {
		if len(plan.Segments) == 0 && !slices.ContainsFunc(plan.Drops, p.h.counts) {
			p.void = append(p.void, plan.Object())
		}
	}
	for _, b := range slices.Concat(p.backups, p.surplus) {
		p.h.lived = p.h.lived.Union(segment.SetOfRuns(b.Segments...))
	}
	pins, ended, err := p.a.Pins(ctx, p.store, p.now)
	if err != nil {
		return fmt.Errorf("nothing was deleted: %w", err)
	}
	for _, pin := range ended {
		p.void = append(p.void, pin.Object())
	}
	begin := time.Time{}
	if p.o.Window > 0 {
		begin = p.now.Add(-p.o.Window)
	}
	if err := p.h.addHistory(ctx, &p.roots, begin, p.grace); err != nil {
		return fmt.Errorf("nothing was deleted: %w", err)
	}
	p.roots.addPins(p.backups, pins)
	if err := p.readHeartbeats(ctx); err != nil {
		return err
	}
	p.free = p.h.have.Minus(p.roots.all)
	for _, t := range slices.Sorted(maps.Keys(p.h.Branches)) {
		for _, name := range p.h.Branches[t].Unknown {
			p.rep.Notes = append(p.rep.Notes, p.a.At(name)+": not a name of varve's; left alone")
		}
	}
	return nil
}

// removeVoid deletes objects that mean nothing any more: pins that have ended; plans of tips
// that were given up and went on; what is left of a plan that was never written; heartbeats that
// a newer one replaces, or of timelines of which nothing is there.
func (p *pruner) removeVoid(ctx context.Context) error {
	if p.o.DryRun {
		return nil
	}
	return parallel.Each(ctx, pruneParallel, len(p.void), func(ctx context.Context, i int) error {
		return p.a.Target().Delete(ctx, p.void[i])
	})
}

// firstPhase writes down the tips that are given up, and the segments that are not needed and
// that no earlier prune has written down, and deletes the backups that are given up.
func (p *pruner) firstPhase(ctx context.Context) error {
	for _, b := range p.surplus {
		p.rep.Backups = append(p.rep.Backups, b.ID)
	}
	var waiting segment.Set
	for _, plan := range p.plans {
		if p.now.Before(plan.Due(p.grace)) {
			waiting = waiting.Union(segment.SetOfRuns(plan.Segments...))
		}
	}
	left := p.free.Minus(p.deleted)
	fresh := left.Minus(p.spared).Minus(waiting)
	p.rep.Waiting = p.amount(left.And(waiting))
	p.rep.Planned = p.amount(fresh)
	if fresh.Len() > 0 {
		p.rep.Due = p.now.Add(p.grace)
	}
	if p.o.DryRun {
		return nil
	}
	if err := p.writeDown(ctx, fresh); err != nil {
		return fmt.Errorf("write down what can be deleted: %w", err)
	}
	return p.deleteBackups(ctx, slices.Concat(p.names.Leftover, p.rep.Backups))
}

// writeDown writes the plans of this prune: first of the tips, without which the segments
// are needed.
func (p *pruner) writeDown(ctx context.Context, fresh segment.Set) error {
	for _, plan := range []*archive.PrunePlan{
		{Drops: p.newDrops},
		{Bytes: p.rep.Planned.Bytes, Segments: fresh.Runs()},
	} {
		if len(plan.Drops)+len(plan.Segments) == 0 {
			continue
		}
		plan.Store, plan.Made = p.store, p.now
		if err := p.a.InReserve(ctx, func() error { return p.a.PutPlan(ctx, plan) }); err != nil {
			return err
		}
	}
	return nil
}

// deleteBackups deletes manifests. On a full target it does so one after the other: each deleted
// manifest makes room for the next marker.
func (p *pruner) deleteBackups(ctx context.Context, ids []uint64) error {
	err := parallel.Each(ctx, pruneParallel, len(ids), func(ctx context.Context, i int) error {
		return p.a.RemoveBackup(ctx, p.store, ids[i])
	})
	if !errors.Is(err, target.ErrFull) {
		return err
	}
	for _, id := range ids {
		if err := p.a.RemoveBackup(ctx, p.store, id); err != nil {
			return err
		}
	}
	return nil
}

// amount counts a set of segments that are there.
func (p *pruner) amount(set segment.Set) (n Amount) {
	for _, r := range set.Runs() {
		b := p.h.Branches[r.Timeline]
		i, _ := archive.Find(b.Segments, r.First)
		for _, s := range b.Segments[i : i+int(r.Count)] {
			n.Segments++
			n.Bytes += s.Size
		}
	}
	return n
}
