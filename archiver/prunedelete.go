package archiver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/varve-db/varve/segment"
)

// pruneParallel is how many requests of a prune are under way at a time.
const pruneParallel = 16

// secondPhase deletes what is free and was written down longer ago than the grace.
func (p *pruner) secondPhase(ctx context.Context) error {
	planned, due := &refSet{}, []*prunePlan{}
	for _, plan := range p.plans {
		if !p.now.Before(plan.due(p.grace)) {
			due = append(due, plan)
			planned.addRuns(plan.Segments)
		}
	}
	doomed := p.free.minus(p.free.minus(planned))
	if p.o.DryRun {
		p.deleted = doomed
		p.rep.Deleted = p.amount(doomed)
		return nil
	}
	if err := p.unmark(ctx); err != nil {
		return err
	}
	if err := p.deleteSegments(ctx, doomed); err != nil {
		return err
	}
	return fanOut(ctx, pruneParallel, len(due), func(ctx context.Context, i int) error {
		return p.a.target.Delete(ctx, due[i].object())
	})
}

// unmark takes away the markers of segments that are there and needed: a prune that
// was cut off left them.
func (p *pruner) unmark(ctx context.Context) error {
	var names []string
	for _, b := range p.h.branches {
		for _, ref := range b.Gone {
			if p.h.have.has(ref) && p.claims.all.has(ref) {
				names = append(names, refName(p.store, ref, "gone"))
			}
		}
	}
	return fanOut(ctx, pruneParallel, len(names), func(ctx context.Context, i int) error {
		return p.a.target.Delete(ctx, names[i])
	})
}

// deleteSegments deletes the doomed segments, but for those that cannot be read and
// those that somebody has pinned since the pins were read.
func (p *pruner) deleteSegments(ctx context.Context, doomed *refSet) error {
	if doomed.len() == 0 {
		return nil
	}
	refs := slices.Collect(doomed.refs())
	refs, err := p.readable(ctx, refs)
	if err != nil {
		return err
	}
	if err := p.mark(ctx, refs); err != nil {
		return errors.Join(err, p.takeBack(ctx, refs))
	}
	pinned, err := p.pinnedNow(ctx)
	if err != nil {
		return errors.Join(err, p.takeBack(ctx, refs))
	}
	spared := slices.DeleteFunc(slices.Clone(refs), func(r segment.Ref) bool { return !pinned.has(r) })
	if err := p.takeBack(ctx, spared); err != nil {
		return err
	}
	p.spared.addRefs(spared)
	refs = slices.DeleteFunc(refs, pinned.has)
	var mu sync.Mutex // guards deleted
	err = fanOut(ctx, pruneParallel, len(refs), func(ctx context.Context, i int) error {
		err := p.a.target.Delete(ctx, segmentName(p.store, refs[i]))
		if err == nil {
			mu.Lock()
			defer mu.Unlock()
			p.deleted.addRefs(refs[i : i+1])
		}
		return err
	})
	p.rep.Deleted = p.amount(p.deleted)
	return err
}

// readable returns those of refs whose objects are what their names say, in a format
// that is known. It notes the others, and spares them.
func (p *pruner) readable(ctx context.Context, refs []segment.Ref) ([]segment.Ref, error) {
	bad := make([]error, len(refs))
	err := fanOut(ctx, pruneParallel, len(refs), func(ctx context.Context, i int) error {
		_, err := p.h.header(ctx, refs[i])
		if _, unreadable := errors.AsType[*UnreadableError](err); unreadable {
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
		p.spared.addRefs(refs[i : i+1])
	}
	return good, nil
}

// mark writes the markers. Whoever pins a segment from now on sees them.
func (p *pruner) mark(ctx context.Context, refs []segment.Ref) error {
	return fanOut(ctx, pruneParallel, len(refs), func(ctx context.Context, i int) error {
		b := p.h.branches[refs[i].Timeline]
		at, _ := find(b.Segments, refs[i].ID)
		return p.a.putMarker(ctx, refName(p.store, refs[i], "gone"),
			&Marker{Time: p.now, Why: "pruned: no backup, no restore, no kept point in time and no tip needed it", Size: b.Segments[at].Size})
	})
}

// takeBack removes markers of segments that are not deleted after all.
func (p *pruner) takeBack(ctx context.Context, refs []segment.Ref) error {
	return fanOut(context.WithoutCancel(ctx), pruneParallel, len(refs), func(ctx context.Context, i int) error {
		return p.a.target.Delete(ctx, refName(p.store, refs[i], "gone"))
	})
}

// pinnedNow reads all pins once more. Backups do not change, so only the manifests of
// new ones are read.
func (p *pruner) pinnedNow(ctx context.Context) (*refSet, error) {
	names, err := p.a.backupNames(ctx, p.store)
	if err != nil {
		return nil, err
	}
	fresh := slices.DeleteFunc(names.ids, func(id uint64) bool { return slices.Contains(p.names.ids, id) })
	backups, err := p.a.readBackups(ctx, p.store, fresh)
	if err != nil {
		return nil, err
	}
	pins, err := p.a.pins(ctx, p.store, p.now)
	if err != nil {
		return nil, err
	}
	var c claims
	c.addPins(append(backups, p.backups...), pins)
	c.all.normal()
	return &c.all, nil
}
