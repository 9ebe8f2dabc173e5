package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/internal/parallel"
	"github.com/varve-db/varve/archiver/source"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/internal/receipt"
	"github.com/varve-db/varve/segment"
)

// listStore finds what the store has, and its newest log, from which the chain goes
// back.
func (d *auditor) listStore(context.Context) error {
	list, err := d.source.Segments()
	if err != nil {
		return err
	}
	d.local = map[segment.Ref]source.Sealed{}
	d.store = list.Store
	for _, g := range list.Segments {
		d.local[g.Ref] = g
	}
	for _, g := range list.Damaged {
		d.note("%s of the store cannot be read as a segment: %v", g.Name, g.Err)
	}
	if err := d.newestUnsealed(); err != nil {
		return err
	}
	for _, g := range slices.Backward(list.Segments) {
		if g.Kind != segment.Log || d.newest != nil && d.newest.Ref.ID > g.Ref.ID {
			continue
		}
		d.open, d.edits = false, nil
		d.newest, d.edits, err = d.readLog(g.Name, true)
		if err != nil {
			return err
		}
		break
	}
	if d.newest == nil {
		return fmt.Errorf("there is no log in the store's folder: %w", target.ErrNotExist)
	}
	d.rep.Store, d.rep.Timeline = d.store, d.newest.Ref.Timeline
	set := d.newest.Live
	for _, e := range d.edits {
		set = e.Apply(set)
	}
	d.needed = d.needed.Union(set)
	if !d.open {
		d.needed = d.needed.With(d.newest.Ref)
	}
	return nil
}

// newestUnsealed reads the newest log that is not sealed and has a header.
func (d *auditor) newestUnsealed() error {
	logs, err := d.source.Logs()
	if err != nil {
		return err
	}
	d.unsealed, d.waiting = map[segment.ID]bool{}, map[segment.Ref]bool{}
	for _, l := range logs {
		d.unsealed[l.Id] = true
	}
	for _, l := range logs {
		h, edits, err := d.readLog(l.Name, true)
		_, corrupt := errors.AsType[*segment.CorruptError](err)
		if corrupt || errors.Is(err, fs.ErrNotExist) || err == nil && d.store != (segment.UUID{}) && h.UUID != d.store {
			continue // not begun, sealed meanwhile, or not of this store
		}
		if err != nil {
			return err
		}
		if d.newest != nil {
			d.waiting[h.Ref] = true
			continue
		}
		d.store, d.newest, d.edits, d.open = h.UUID, h, edits, true
	}
	return nil
}

// readLog reads a header of the store and, if wanted, the edits of the log. The edits end
// where the log does not check: it is being written.
func (d *auditor) readLog(name string, edits bool) (*segment.Header, []segment.EditSet, error) {
	f, err := d.source.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	r, err := segment.NewReader(f, f.Size)
	if err != nil {
		return nil, nil, segment.InFile(name, err)
	}
	if !edits || r.Header.Kind != segment.Log {
		return r.Header, nil, nil
	}
	sets, err := editsOf(f, f.Size)
	if _, corrupt := errors.AsType[*segment.CorruptError](err); err != nil && !corrupt {
		return nil, nil, segment.InFile(name, err)
	}
	return r.Header, sets, nil
}

// editsOf returns the edits of a log, and what ended the walk over them.
func editsOf(src io.ReaderAt, size int64) (sets []segment.EditSet, err error) {
	r, err := segment.NewReader(src, size)
	if err != nil {
		return nil, err
	}
	for rec, err := range r.Records(segment.Span{}) {
		if err != nil {
			return sets, err
		}
		if rec.Kind != segment.Edit {
			continue
		}
		whole, err := r.RecordAt(rec.Offset, rec.Offset+rec.Size)
		if err != nil {
			return sets, err
		}
		e, err := whole.ParseEdit()
		if err != nil {
			return sets, err
		}
		sets = append(sets, e)
	}
	return sets, nil
}

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

// follow reads the headers of the chain's logs, wherever they are, until they name
// nothing new.
func (d *auditor) follow(ctx context.Context) error {
	d.reach = map[segment.Timeline]segment.ID{d.newest.Ref.Timeline: d.newest.Ref.ID}
	d.headers, d.lost = map[segment.Ref]*segment.Head{}, map[segment.Ref]bool{}
	if !d.open {
		d.named = d.named.With(d.newest.Ref)
	}
	d.absorb(d.newest, d.edits)
	for {
		var todo []segment.Ref
		for _, ref := range slices.Concat(slices.SortedFunc(maps.Keys(d.local), segment.Ref.Compare), slices.SortedFunc(maps.Keys(d.objects), segment.Ref.Compare)) {
			if _, read := d.headers[ref]; !read && d.onChain(ref) {
				d.headers[ref] = nil
				todo = append(todo, ref)
			}
		}
		if len(todo) == 0 {
			return nil
		}
		var mu sync.Mutex // guards what absorb changes
		err := parallel.Each(ctx, parallel.Looks, len(todo), func(ctx context.Context, i int) error {
			h, edits, err := d.header(ctx, todo[i], d.o.Data)
			if err != nil || h == nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			d.absorb(h, edits)
			return nil
		})
		if err != nil {
			return err
		}
	}
}

// header reads a header from the store or, where the store does not have it, from the archive;
// with data also the edits, if it is a log. It returns nil for a header that does not check:
// that is found with its object.
func (d *auditor) header(ctx context.Context, ref segment.Ref, data bool) (*segment.Header, []segment.EditSet, error) {
	if g, ok := d.local[ref]; ok {
		if h, edits, err := d.readLog(g.Name, data); err == nil && h.Ref == ref {
			return h, edits, nil
		}
	}
	s, ok := d.objects[ref]
	if !ok {
		return nil, nil, nil
	}
	var h *segment.Header
	var edits []segment.EditSet
	err := target.Persist(ctx, target.Allowance(s.Size), func(ctx context.Context) (err error) {
		if h, err = d.a.ReadHeader(ctx, d.store, ref); err != nil || !data || h.Kind != segment.Log {
			return err
		}
		src := &archive.Stream{Object: archive.Object{Ctx: ctx, Target: d.a.Target(), Name: archive.SegmentName(d.store, ref), Size: s.Size}}
		edits, err = editsOf(src, s.Size)
		return errors.Join(err, src.Close())
	})
	if _, corrupt := errors.AsType[*segment.CorruptError](err); corrupt || errors.Is(err, target.ErrNotExist) {
		return nil, nil, nil
	}
	return h, edits, err
}

// explain looks for what named the segments that no header names. An output may have been
// adopted and retired again during the life of one log. Then only the edits in that log name
// it.
func (d *auditor) explain(ctx context.Context) error {
	var logs []segment.Ref
	for _, ref := range slices.SortedFunc(maps.Keys(d.headers), segment.Ref.Compare) {
		if h := d.headers[ref]; h != nil && h.Kind == segment.Log {
			logs = append(logs, ref)
		}
	}
	next := 0 // logs before it were read
	for _, ref := range d.chain() {
		if d.o.Data || d.known(ref) || d.gone[ref] {
			continue
		}
		from, _ := slices.BinarySearchFunc(logs, ref, segment.Ref.Compare)
		for next = max(next, from-1); next < len(logs) && !d.known(ref); next++ {
			h, edits, err := d.header(ctx, logs[next], true)
			if err != nil {
				return err
			}
			if h != nil {
				d.absorb(h, edits)
			}
		}
	}
	return nil
}

// known reports whether anything on the chain names a segment.
func (d *auditor) known(ref segment.Ref) bool { return d.named.Has(ref) || d.retired.Has(ref) }

// absorb takes note of what a header on the chain names.
func (d *auditor) absorb(h *segment.Header, edits []segment.EditSet) {
	if h.Ref != d.newest.Ref || !d.open {
		d.headers[h.Ref] = &segment.Head{Kind: h.Kind, Ref: h.Ref, FirstSeq: h.FirstSeq}
	}
	if h.Kind != segment.Log {
		return
	}
	if p := h.Parent; p != (segment.Ref{}) {
		d.reach[p.Timeline] = max(d.reach[p.Timeline], p.ID)
	}
	d.name(h.Live)
	d.retired = d.retired.Union(h.Retired) // a retired log may be one that an open left alone: it is not of the chain
	for _, e := range edits {
		d.name(segment.SetOf(e.Adopt...))
		d.name(segment.SetOf(e.Retire...))
	}
}

// name adds to what is named on the chain, and the timelines to the chain.
func (d *auditor) name(set segment.Set) {
	d.named = d.named.Union(set)
	for _, r := range set.Runs() {
		d.reach[r.Timeline] = max(d.reach[r.Timeline], r.Last())
	}
}

// onChain reports whether a segment belongs to the history of the store's newest log. The last
// segment that the chain has of a timeline, and those after it, may be of a copy that went on:
// they count only if they are named.
func (d *auditor) onChain(ref segment.Ref) bool {
	return ref.ID < d.reach[ref.Timeline] || d.known(ref)
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
