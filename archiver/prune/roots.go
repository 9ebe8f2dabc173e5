package prune

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/history"
	"github.com/varve-db/varve/segment"
)

// root is a reason to keep segments.
type root struct {
	why string
	set segment.Set
}

// roots are the reasons to keep the segments of a store, the strongest first. A segment that
// none of them holds is not needed.
type roots struct {
	list []root
	all  segment.Set // their union
}

func (c *roots) add(why string, set segment.Set) {
	c.list = append(c.list, root{why, set})
	c.all = c.all.Union(set)
}

// addPins adds what is pinned by name: backups and restores.
func (c *roots) addPins(backups []*archive.Backup, pins []*archive.Pin) {
	for _, b := range backups {
		c.add(fmt.Sprintf("backup %d", b.ID), segment.SetOfRuns(b.Segments...))
	}
	for _, p := range pins {
		c.add(fmt.Sprintf("restore %s, until %s: %s", p.ID, p.Until().Format(time.RFC3339), p.What), segment.SetOfRuns(p.Segments...))
	}
}

// settle is the least time that a segment is given to be adopted after it was stored. An output
// may be shipped shortly before the edit that adopts it. Until then it looks like an output that
// is never adopted.
const settle = time.Hour

// addHistory adds what the newest state of every tip needs, and what the points
// since the moment begin need, if that is not zero.
func (h *tree) addHistory(ctx context.Context, c *roots, begin time.Time, grace time.Duration) error {
	for _, t := range slices.Sorted(maps.Keys(h.Branches)) {
		b := h.Branches[t]
		if b.Log == nil && b.Dropped {
			continue
		}
		if b.Log == nil {
			c.add(fmt.Sprintf("timeline %v has no log here that says what it needs", t), b.From(0, 1<<64-1))
			continue
		}
		if b.Dropped && b.End && !begin.IsZero() {
			if err := h.addDropped(ctx, c, b, begin); err != nil {
				return err
			}
		}
		if !b.Tip {
			continue
		}
		why := fmt.Sprintf("newest state of tip %v", t)
		if err := h.addSince(ctx, c, b, why, time.Time{}); err != nil {
			return err
		}
		if !begin.IsZero() {
			why := fmt.Sprintf("points of tip %v since %s", t, begin.UTC().Format(time.RFC3339))
			if err := h.addSince(ctx, c, b, why, begin); err != nil {
				return err
			}
		}
		h.addYoung(c, b, max(grace, settle))
	}
	return nil
}

// addDropped adds what the points since the moment begin need of a tip that was given up:
// they can be restored as long as the window says. A tip that ended before begin has no such
// points.
func (h *tree) addDropped(ctx context.Context, c *roots, b *history.Branch, begin time.Time) error {
	i, _ := archive.Find(b.Segments, b.Log.Ref.ID)
	f, err := h.Footer(ctx, b.Segments[i])
	if err != nil || f.LastTime < segment.Nanos(begin) {
		return err
	}
	return h.addSince(ctx, c, b, fmt.Sprintf("points of tip %v, which was given up, since %s", b.Id, begin.UTC().Format(time.RFC3339)), begin)
}

// addSince adds what every point of a tip from a moment on needs: the live set
// of the newest complete log that was begun by then, and all that was written
// since. With a zero time it is what the newest state needs. Where no log of the
// tip's timeline is as old as that, the history before it is needed as well,
// up to where the timeline began.
func (h *tree) addSince(ctx context.Context, c *roots, b *history.Branch, why string, t time.Time) error {
	upTo := segment.ID(1<<64 - 1)
	var set segment.Set
	for seen := map[*history.Branch]bool{}; b != nil && !seen[b]; b = b.Parent {
		seen[b] = true
		n, found := archive.Find(b.Segments, upTo)
		if found {
			n++
		}
		hd, i, newest, err := h.completeLog(ctx, b, n, t)
		if err != nil {
			return err
		}
		// The newest log is of no use while what it builds on is still being shipped, and that
		// must not be deleted meanwhile.
		if newest != nil {
			set = set.Union(newest.Live)
		}
		if hd != nil {
			set = set.Union(hd.Live)
			set = set.Union(b.From(b.Segments[i].Ref.ID, upTo)).Union(b.StoredSince(time.Unix(0, hd.Time).Add(-settle), t, upTo))
			break
		}
		set = set.Union(b.From(0, upTo))
		if n > 0 { // what its first log builds on
			_, first, err := history.LogsOf(b.Segments[:n], h.Header).First(ctx, 0)
			if err != nil {
				return err
			}
			if first != nil {
				set = set.Union(first.Live)
			}
		}
		upTo = b.Fork.ID
	}
	c.add(why, set)
	return nil
}

// addYoung adds the segments of a tip's timeline that no header names and that were stored
// shortly before its newest log was begun: the next log may adopt them. A segment that a
// header names and the newest state does not need was retired, and does not come back.
func (h *tree) addYoung(c *roots, b *history.Branch, grace time.Duration) {
	var young []segment.Ref
	begun := time.Unix(0, b.Log.Time)
	for _, s := range b.Segments {
		if s.Modified.After(begun.Add(-grace)) && !h.lived.Has(s.Ref) {
			young = append(young, s.Ref)
		}
	}
	c.add(fmt.Sprintf("new, and not yet adopted, on tip %v", b.Id), segment.SetOf(young...))
}
