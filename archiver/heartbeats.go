package archiver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/varve-db/varve/segment"
)

// heartbeats reads all heartbeats of a store: the newest of each timeline, those that one of
// these has taken the place of, and what was found of names and objects that are nothing
// varve writes, or cannot be read.
func (a *Archive) heartbeats(ctx context.Context, store segment.UUID) (newest map[segment.Timeline]*Heartbeat, older []*Heartbeat, unknown []string, unreadable []error, err error) {
	ids, unknown, err := a.heartbeatIDs(ctx, store)
	newest = map[segment.Timeline]*Heartbeat{}
	for _, id := range slices.Backward(ids) {
		h, err := a.readHeartbeat(ctx, store, id)
		if _, bad := errors.AsType[*UnreadableError](err); bad {
			unreadable = append(unreadable, err)
			continue
		}
		switch {
		case errors.Is(err, ErrNotExist): // a newer one has taken its place
		case err != nil:
			return nil, nil, nil, nil, err
		case newest[h.Timeline] != nil:
			older = append(older, h)
		default:
			newest[h.Timeline] = h
		}
	}
	return newest, older, unknown, unreadable, err
}

// readHeartbeats finds those that say nothing any more. One that cannot be read is left
// alone, as everything that is not understood.
func (p *pruner) readHeartbeats(ctx context.Context) error {
	newest, older, unknown, unreadable, err := p.a.heartbeats(ctx, p.store)
	if err != nil {
		return fmt.Errorf("nothing was deleted: %w", err)
	}
	for _, h := range older {
		p.void = append(p.void, h.object())
	}
	for _, t := range slices.Sorted(maps.Keys(newest)) {
		if b := p.h.branches[t]; b == nil || b.log == nil {
			p.void = append(p.void, newest[t].object())
		}
	}
	for _, name := range unknown {
		p.rep.Notes = append(p.rep.Notes, p.a.at(name)+": not a name of varve's; left alone")
	}
	for _, err := range unreadable {
		p.rep.Notes = append(p.rep.Notes, fmt.Sprintf("left alone: %v", err))
	}
	return nil
}

// listHeartbeats finds out up to when the archive is known to be complete.
func (d *auditor) listHeartbeats(ctx context.Context) error {
	return persist(ctx, allowance(0), func(ctx context.Context) error {
		newest, _, unknown, unreadable, err := d.a.heartbeats(ctx, d.store)
		if err != nil {
			return err
		}
		if h := newest[d.rep.Timeline]; h != nil {
			d.rep.Complete = h.At
		}
		for _, name := range unknown {
			d.find(AuditExtra, segment.Ref{}, "move it out of the archive", "%s is nothing that varve writes", d.a.at(name))
		}
		for _, err := range unreadable {
			d.find(AuditDamaged, segment.Ref{}, "delete it: it is a heartbeat, and the next one takes its place", "%v", err)
		}
		return nil
	})
}
