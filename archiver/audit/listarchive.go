package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/segment"
)

// listArchive lists what the archive has of the store.
func (d *auditor) listArchive(ctx context.Context) error {
	d.objects, d.gone, d.gaps = map[segment.Ref]archive.Stored{}, map[segment.Ref]bool{}, map[segment.Ref]bool{}
	before, err := d.plans(ctx)
	if err != nil {
		return err
	}
	var timelines []segment.Timeline
	err = target.Persist(ctx, target.Allowance(0), func(ctx context.Context) (err error) {
		timelines, err = d.a.Timelines(ctx, d.store)
		return err
	})
	if err != nil {
		return err
	}
	for _, t := range timelines {
		var c *archive.Contents
		err := target.Persist(ctx, target.Allowance(0), func(ctx context.Context) (err error) {
			c, err = d.a.Contents(ctx, d.store, t)
			return err
		})
		if err != nil {
			return err
		}
		for _, s := range c.Segments {
			d.objects[s.Ref] = s
		}
		for _, r := range c.Gone {
			d.gone[r] = true
		}
		for _, r := range c.Gaps {
			d.gaps[r] = true
		}
		for _, name := range c.Unknown {
			d.unknown(name, t)
		}
	}
	return d.listBegun(ctx, before)
}

// plans reads the plans of prune. If they cannot be read, that is a note: prune reports it in
// full.
func (d *auditor) plans(ctx context.Context) (plans []*archive.PrunePlan, err error) {
	err = target.Persist(ctx, target.Allowance(0), func(ctx context.Context) (err error) {
		plans, err = d.a.PrunePlans(ctx, d.store)
		return err
	})
	if u, ok := errors.AsType[*archive.UnreadableError](err); ok {
		d.note("%v", u)
		return nil, nil
	}
	return plans, err
}

// listBegun counts a segment as gone if it is not there and is in a plan that prune has begun
// to carry out: it may have no marker yet. before are the plans from before the archive was
// listed: a plan that waited then and is no longer there was carried out meanwhile.
func (d *auditor) listBegun(ctx context.Context, before []*archive.PrunePlan) error {
	after, err := d.plans(ctx)
	if err != nil {
		return err
	}
	waits := map[uint64]bool{}
	for _, p := range after {
		waits[p.ID] = p.Waits
	}
	for _, p := range slices.Concat(before, after) {
		if waits[p.ID] {
			continue
		}
		for ref := range segment.SetOfRuns(p.Segments...).All() {
			if _, there := d.objects[ref]; !there {
				d.gone[ref] = true
			}
		}
	}
	return nil
}

// unknown reports an object whose name varve does not write.
func (d *auditor) unknown(name string, t segment.Timeline) {
	if before, _, ok := strings.Cut(name, badMark); ok {
		if _, ref, ext, ok := archive.ParseRefName(before); ok && ext == "seg" {
			d.note("%s was set aside when segment %v was put back; delete it when it is not needed any more", d.a.At(name), ref)
			return
		}
	}
	d.find(Extra, segment.Ref{Timeline: t}, "move it out of the archive", "%s is nothing that varve writes", d.a.At(name))
}

// listReceipts reads all receipts of the archive.
func (d *auditor) listReceipts(context.Context) error {
	d.noted, d.spoiled = map[segment.Ref]receipt.Receipt{}, map[segment.Ref]error{}
	refs, err := d.receipts.Refs(d.a.Identity().ID)
	if err != nil {
		return err
	}
	for _, ref := range refs {
		r, ok, err := d.receipts.Get(d.a.Identity().ID, ref)
		damaged, _ := errors.AsType[*receipt.DamagedError](err)
		switch {
		case damaged != nil:
			d.spoiled[ref] = errors.New(damaged.Problem())
		case err != nil:
			d.spoiled[ref] = err
		case ok && r.Store == d.store && r.Object != archive.SegmentName(d.store, ref):
			d.spoiled[ref] = fmt.Errorf("receipt of segment %v: it is about object %s", ref, r.Object)
		case ok && r.Store == d.store:
			d.noted[ref] = r
		}
	}
	return nil
}

// listHeartbeats finds out up to when the archive is known to be complete.
func (d *auditor) listHeartbeats(ctx context.Context) error {
	return target.Persist(ctx, target.Allowance(0), func(ctx context.Context) error {
		newest, _, unknown, unreadable, err := d.a.Heartbeats(ctx, d.store)
		if err != nil {
			return err
		}
		if h := newest[d.rep.Timeline]; h != nil {
			d.rep.Complete = h.At
		}
		for _, name := range unknown {
			d.find(Extra, segment.Ref{}, "move it out of the archive", "%s is nothing that varve writes", d.a.At(name))
		}
		for _, err := range unreadable {
			next := segment.Remedy("delete it: it is a heartbeat, and the next one takes its place")
			if errors.Is(err, segment.ErrVersion) {
				next = "leave it to the newer varve that wrote it"
			}
			d.find(Damaged, segment.Ref{}, next, "%v", err)
		}
		return nil
	})
}
