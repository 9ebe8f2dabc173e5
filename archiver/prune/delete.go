package prune

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/internal/parallel"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/segment"
)

// pruneParallel is how many requests of a prune are under way at a time.
const pruneParallel = 16

// secondPhase deletes what is free and was written down longer ago than the grace. It frees room
// before it needs any. First it removes the objects that say that the plans wait, then the
// segments. Then it writes the markers. The plans stand for the markers until then, and go last.
// So wherever it is cut off, a segment that is gone is named as pruned.
func (p *pruner) secondPhase(ctx context.Context) error {
	planned, due := segment.Set{}, []*archive.PrunePlan{}
	for _, plan := range p.plans {
		if len(plan.Segments) > 0 && !p.now.Before(plan.Due(p.grace)) {
			due = append(due, plan)
			planned = planned.Union(segment.SetOfRuns(plan.Segments...))
		}
	}
	doomed := p.free.And(planned)
	if p.o.DryRun {
		p.deleted = doomed
		p.rep.Deleted = p.amount(doomed)
		return nil
	}
	if err := p.unmark(ctx); err != nil {
		return err
	}
	if err := p.deleteSegments(ctx, due, doomed); err != nil {
		return err
	}
	err := p.mark(ctx, planned)
	if errors.Is(err, target.ErrFull) { // the plans stand for the markers
		p.rep.Notes = append(p.rep.Notes, fmt.Sprintf("the markers of what was deleted are still to be written, by the next prune: %v", err))
		return nil
	}
	if err != nil {
		return err
	}
	return parallel.Each(ctx, pruneParallel, len(due), func(ctx context.Context, i int) error {
		return p.a.Target().Delete(ctx, due[i].Object())
	})
}

// unmark takes away the markers of segments that are there and needed: a prune that
// was cut off left them.
func (p *pruner) unmark(ctx context.Context) error {
	var names []string
	for _, b := range p.h.Branches {
		for _, ref := range b.Gone {
			if p.h.have.Has(ref) && p.roots.all.Has(ref) {
				names = append(names, archive.RefName(p.store, ref, "gone"))
			}
		}
	}
	return parallel.Each(ctx, pruneParallel, len(names), func(ctx context.Context, i int) error {
		return p.a.Target().Delete(ctx, names[i])
	})
}

// deleteSegments deletes the doomed segments of plans that are due, except those that cannot be
// read and those that were pinned since the pins were read.
func (p *pruner) deleteSegments(ctx context.Context, due []*archive.PrunePlan, doomed segment.Set) error {
	refs := slices.Collect(doomed.All())
	refs, err := p.readable(ctx, refs)
	if err != nil {
		return err
	}
	if err := p.begin(ctx, due); err != nil {
		return errors.Join(err, p.takeBack(ctx, due))
	}
	pinned, err := p.pinnedNow(ctx)
	if err != nil {
		return errors.Join(err, p.takeBack(ctx, due))
	}
	p.spared = p.spared.Union(segment.SetOf(refs...).And(pinned))
	refs = slices.DeleteFunc(refs, pinned.Has)
	var mu sync.Mutex // guards deleted
	var deleted []segment.Ref
	err = parallel.Each(ctx, pruneParallel, len(refs), func(ctx context.Context, i int) error {
		err := p.a.Target().Delete(ctx, archive.SegmentName(p.store, refs[i]))
		if err == nil {
			mu.Lock()
			defer mu.Unlock()
			deleted = append(deleted, refs[i])
		}
		return err
	})
	p.deleted = segment.SetOf(deleted...)
	p.rep.Deleted = p.amount(p.deleted)
	return err
}

// begin says that plans wait no more. A pin on one of their segments from now on is refused as
// too late.
func (p *pruner) begin(ctx context.Context, due []*archive.PrunePlan) error {
	return parallel.Each(ctx, pruneParallel, len(due), func(ctx context.Context, i int) error {
		return p.a.Target().Delete(ctx, due[i].Waiting())
	})
}

// takeBack makes plans wait again that waited before, and of which nothing was deleted.
func (p *pruner) takeBack(ctx context.Context, due []*archive.PrunePlan) error {
	waited := slices.DeleteFunc(slices.Clone(due), func(plan *archive.PrunePlan) bool { return !plan.Waits })
	return parallel.Each(context.WithoutCancel(ctx), pruneParallel, len(waited), func(ctx context.Context, i int) error {
		err := p.a.HoldPlan(ctx, waited[i])
		if errors.Is(err, target.ErrExists) {
			return nil
		}
		return err
	})
}

// readable returns the segments of refs whose objects are what their names say, in a known
// format. It notes the others, and spares them.
func (p *pruner) readable(ctx context.Context, refs []segment.Ref) ([]segment.Ref, error) {
	bad := make([]error, len(refs))
	err := parallel.Each(ctx, pruneParallel, len(refs), func(ctx context.Context, i int) error {
		_, err := p.h.Header(ctx, refs[i])
		if _, unreadable := errors.AsType[*archive.UnreadableError](err); unreadable {
			bad[i] = err
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var good []segment.Ref
	for i, r := range refs {
		if bad[i] == nil {
			good = append(good, r)
			continue
		}
		p.rep.Notes = append(p.rep.Notes, fmt.Sprintf("not deleted: %v", bad[i]))
		p.spared = p.spared.With(r)
	}
	return good, nil
}

// mark writes the markers of planned segments that are gone and that nothing needs: those that
// were deleted now, and those that were deleted by a prune that was cut off.
func (p *pruner) mark(ctx context.Context, planned segment.Set) error {
	here := p.h.have.Minus(p.deleted)
	left := planned.Minus(here).Minus(p.roots.all)
	for _, b := range p.h.Branches {
		left = left.Minus(segment.SetOf(b.Gone...))
	}
	refs := slices.Collect(left.All())
	return parallel.Each(ctx, pruneParallel, len(refs), func(ctx context.Context, i int) error {
		m := &archive.Marker{Time: p.now, Why: "pruned: no backup, no restore, no kept point in time and no tip needed it"}
		if b := p.h.Branches[refs[i].Timeline]; b != nil {
			if at, there := archive.Find(b.Segments, refs[i].ID); there {
				m.Size = b.Segments[at].Size
			}
		}
		return p.a.InReserve(ctx, func() error { return p.a.PutMarker(ctx, archive.RefName(p.store, refs[i], "gone"), m) })
	})
}

// pinnedNow reads all pins once more. Backups do not change, so only the manifests of
// new ones are read.
func (p *pruner) pinnedNow(ctx context.Context) (pinned segment.Set, err error) {
	names, err := p.a.BackupNames(ctx, p.store)
	if err != nil {
		return pinned, err
	}
	fresh := slices.DeleteFunc(names.Ids, func(id uint64) bool { return slices.Contains(p.names.Ids, id) })
	backups, err := p.a.ReadBackups(ctx, p.store, fresh)
	if err != nil {
		return pinned, err
	}
	pins, _, err := p.a.Pins(ctx, p.store, p.now)
	if err != nil {
		return pinned, err
	}
	var c roots
	c.addPins(append(backups, p.backups...), pins)
	return c.all, nil
}
