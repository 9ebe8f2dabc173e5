package archiver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/varve-db/varve/segment"
)

// listStore finds what the store has, and its newest log, from which the chain goes
// back.
func (d *auditor) listStore(context.Context) error {
	list, err := d.source.Segments()
	if err != nil {
		return err
	}
	d.local = map[segment.Ref]Sealed{}
	d.store = list.Store
	for _, g := range list.Segments {
		d.local[g.Ref] = g
	}
	for _, g := range list.Damaged {
		d.note("%s of the store is not to be told for a segment: %v", g.Name, g.Err)
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
		return fmt.Errorf("there is no log in the store: %w; -d names the store", ErrNotExist)
	}
	d.rep.Store, d.rep.Timeline = d.store, d.newest.Ref.Timeline
	return nil
}

// newestUnsealed reads the newest log that is not sealed and has a header.
func (d *auditor) newestUnsealed() error {
	names, err := d.source.logs()
	if err != nil {
		return err
	}
	for _, name := range names {
		h, edits, err := d.readLog(name, true)
		_, corrupt := errors.AsType[*segment.CorruptError](err)
		if corrupt || errors.Is(err, fs.ErrNotExist) || err == nil && d.store != (segment.UUID{}) && h.UUID != d.store {
			continue // not begun, sealed meanwhile, or not of this store
		}
		if err != nil {
			return err
		}
		d.store, d.newest, d.edits, d.open = h.UUID, h, edits, true
		return nil
	}
	return nil
}

// readLog reads a header of the store, and the edits of the log if they are wanted. What
// does not check ends them: it is being written.
func (d *auditor) readLog(name string, edits bool) (*segment.Header, []segment.EditSet, error) {
	f, err := d.source.open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	r, err := segment.NewReader(f, f.size)
	if err != nil || !edits {
		if err != nil {
			return nil, nil, inFile(name, err)
		}
		return r.Header, nil, nil
	}
	var sets []segment.EditSet
	for rec, err := range r.Records(segment.Span{}) {
		if err != nil {
			break
		}
		if rec.Kind != segment.Edit {
			continue
		}
		if whole, err := r.RecordAt(rec.Offset, rec.Offset+rec.Size); err == nil {
			if e, err := whole.ParseEdit(); err == nil {
				sets = append(sets, e)
			}
		}
	}
	return r.Header, sets, nil
}

// listArchive lists what the archive has of the store.
func (d *auditor) listArchive(ctx context.Context) error {
	d.objects, d.gone, d.gaps = map[segment.Ref]Stored{}, map[segment.Ref]bool{}, map[segment.Ref]bool{}
	timelines, err := d.a.timelines(ctx, d.store)
	if err != nil {
		return err
	}
	for _, t := range timelines {
		c, err := d.a.Contents(ctx, d.store, t)
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
	return nil
}

// unknown tells of an object whose name means nothing.
func (d *auditor) unknown(name string, t segment.Timeline) {
	if before, _, ok := strings.Cut(name, badMark); ok {
		if _, ref, ext, ok := parseRefName(before); ok && ext == "seg" {
			d.note("%s was set aside when segment %v was put back; when nobody needs it, delete it", d.a.at(name), ref)
			return
		}
	}
	d.find(AuditExtra, segment.Ref{Timeline: t}, "move it out of the archive", "%s is nothing that varve writes", d.a.at(name))
}

// listReceipts reads all receipts of the archive.
func (d *auditor) listReceipts(context.Context) error {
	d.noted, d.spoiled = map[segment.Ref]Receipt{}, map[segment.Ref]error{}
	refs, err := d.receipts.Refs(d.a.ident.ID)
	if err != nil {
		return err
	}
	for _, ref := range refs {
		r, ok, err := d.receipts.Get(d.a.ident.ID, ref)
		switch {
		case err != nil:
			d.spoiled[ref] = err
		case ok && r.Store == d.store && r.Object != segmentName(d.store, ref):
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
	d.headers, d.lost = map[segment.Ref]*segment.Header{}, map[segment.Ref]bool{}
	if !d.open {
		d.named.addRefs([]segment.Ref{d.newest.Ref})
	}
	d.absorb(d.newest, d.edits)
	for {
		var todo []segment.Ref
		for _, ref := range slices.Concat(orderedRefs(d.local), orderedRefs(d.objects)) {
			if _, read := d.headers[ref]; !read && d.onChain(ref) {
				d.headers[ref] = nil
				todo = append(todo, ref)
			}
		}
		if len(todo) == 0 {
			return nil
		}
		var mu sync.Mutex // guards what absorb changes
		err := fanOut(ctx, lookParallel, len(todo), func(ctx context.Context, i int) error {
			h, err := d.header(ctx, todo[i])
			if err != nil || h == nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			d.absorb(h, nil)
			return nil
		})
		if err != nil {
			return err
		}
	}
}

// header reads a header from the store or, where that does not have it, from the
// archive. Nil is one that does not check, which is found with its object.
func (d *auditor) header(ctx context.Context, ref segment.Ref) (*segment.Header, error) {
	if g, ok := d.local[ref]; ok {
		if h, _, err := d.readLog(g.Name, false); err == nil && h.Ref == ref {
			return h, nil
		}
	}
	if _, ok := d.objects[ref]; !ok {
		return nil, nil
	}
	h, err := d.a.readHeader(ctx, d.store, ref)
	if _, corrupt := errors.AsType[*segment.CorruptError](err); corrupt || errors.Is(err, ErrNotExist) {
		return nil, nil
	}
	return h, err
}

// absorb takes note of what a header on the chain names.
func (d *auditor) absorb(h *segment.Header, edits []segment.EditSet) {
	if h.Ref != d.newest.Ref || !d.open {
		d.headers[h.Ref] = &segment.Header{Kind: h.Kind, Ref: h.Ref, FirstSeq: h.FirstSeq}
	}
	if h.Kind != segment.Log {
		return
	}
	if p := h.Parent; p != (segment.Ref{}) {
		d.reach[p.Timeline] = max(d.reach[p.Timeline], p.ID)
	}
	d.name(&d.named, h.Live)
	d.name(&d.retired, h.Retired)
	for _, e := range edits {
		d.name(&d.named, e.Adopt)
		d.name(&d.named, e.Retire)
	}
}

// name adds refs to a set, and their timelines to the chain.
func (d *auditor) name(set *refSet, refs []segment.Ref) {
	set.addRefs(refs)
	set.normal()
	if set == &d.retired {
		return // among them may be what an open left alone, which is not of the chain
	}
	for _, r := range refs {
		d.reach[r.Timeline] = max(d.reach[r.Timeline], r.ID)
	}
}

// onChain reports whether a segment belongs to the history that led to the store's
// newest log, if it is a segment of this history at all. Where a timeline ended, its
// last log may have gone on elsewhere: it counts if it is named.
func (d *auditor) onChain(ref segment.Ref) bool {
	last, ok := d.reach[ref.Timeline]
	return ok && (ref.ID < last || ref.ID == last && d.named.has(ref))
}
