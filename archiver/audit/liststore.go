package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/varve-db/varve/archiver/source"
	"github.com/varve-db/varve/archiver/target"
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
	sets, err := source.Edits(r)
	if _, corrupt := errors.AsType[*segment.CorruptError](err); err != nil && !corrupt {
		return nil, nil, segment.InFile(name, err)
	}
	return r.Header, sets, nil
}
