package prune

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// readHeartbeats finds the heartbeats that are out of date. One that cannot be read is left
// alone.
func (p *pruner) readHeartbeats(ctx context.Context) error {
	newest, older, unknown, unreadable, err := p.a.Heartbeats(ctx, p.store)
	if err != nil {
		return fmt.Errorf("nothing was deleted: %w", err)
	}
	for _, h := range older {
		p.void = append(p.void, h.Object())
	}
	for _, t := range slices.Sorted(maps.Keys(newest)) {
		if b := p.h.Branches[t]; b == nil || b.Log == nil {
			p.void = append(p.void, newest[t].Object())
		}
	}
	for _, name := range unknown {
		p.rep.Notes = append(p.rep.Notes, p.a.At(name)+": not a name of varve's; left alone")
	}
	for _, err := range unreadable {
		p.rep.Notes = append(p.rep.Notes, fmt.Sprintf("left alone: %v", err))
	}
	return nil
}
