package archiver

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/varve-db/varve/segment"
)

// claim is a reason to keep segments.
type claim struct {
	why string
	set *refSet
}

// claims are the reasons to keep the segments of a store, the strongest first.
// Whatever none of them holds is of no use to anybody.
type claims struct {
	list []claim
	all  refSet // their union
}

func (c *claims) add(why string, set *refSet) {
	c.list = append(c.list, claim{why, set})
	c.all.addAll(set)
}

// addPins adds what is pinned by name: backups and restores.
func (c *claims) addPins(backups []*Backup, pins []*Pin) {
	for _, b := range backups {
		c.add(fmt.Sprintf("backup %d", b.ID), setOfRuns(b.Segments))
	}
	for _, p := range pins {
		c.add(fmt.Sprintf("restore %s, until %s: %s", p.ID, p.until().Format(time.RFC3339), p.What), setOfRuns(p.Segments))
	}
}

// settle is the least time that a segment is given to be adopted after it was
// stored. An output is sealed, and may be shipped, some moments before the edit
// that adopts it, and its name does not tell it from one that nobody adopts.
const settle = time.Hour

// claimHistory adds what the newest state of every tip needs, and what the points
// since the moment begin need, if that is not zero.
func (h *history) claimHistory(ctx context.Context, c *claims, begin time.Time, patience time.Duration) error {
	for _, t := range slices.Sorted(maps.Keys(h.branches)) {
		b := h.branches[t]
		if b.log == nil && b.dropped {
			continue
		}
		if b.log == nil {
			c.add(fmt.Sprintf("timeline %v has no log here that would tell of it", t), b.from(0, 1<<64-1))
			continue
		}
		if b.dropped && b.end && !begin.IsZero() {
			if err := h.claimDropped(ctx, c, b, begin); err != nil {
				return err
			}
		}
		if !b.tip {
			continue
		}
		why := fmt.Sprintf("newest state of tip %v", t)
		if err := h.claimSince(ctx, c, b, why, time.Time{}); err != nil {
			return err
		}
		if !begin.IsZero() {
			why := fmt.Sprintf("points of tip %v since %s", t, begin.UTC().Format(time.RFC3339))
			if err := h.claimSince(ctx, c, b, why, begin); err != nil {
				return err
			}
		}
		h.claimYoung(c, b, max(patience, settle))
	}
	return nil
}

// claimDropped adds what the points since the moment begin need of a tip that was given
// up: they can be restored as long as the window says. A tip that ended before has
// none.
func (h *history) claimDropped(ctx context.Context, c *claims, b *branch, begin time.Time) error {
	i, _ := find(b.Segments, b.log.Ref.ID)
	f, err := h.footer(ctx, b.Segments[i])
	if err != nil || f.LastTime < segment.Nanos(begin) {
		return err
	}
	return h.claimSince(ctx, c, b, fmt.Sprintf("points of tip %v, which was given up, since %s", b.id, begin.UTC().Format(time.RFC3339)), begin)
}

// claimSince adds what every point of a tip from a moment on needs: the live set
// of the newest complete log that was begun by then, and all that was written
// since. With a zero time it is what the newest state needs. Where no log of the
// tip's timeline is as old as that, the history before it is needed as well,
// up to where the timeline began.
func (h *history) claimSince(ctx context.Context, c *claims, b *branch, why string, t time.Time) error {
	upTo := segment.ID(1<<64 - 1)
	set := &refSet{}
	for seen := map[*branch]bool{}; b != nil && !seen[b]; b = b.parent {
		seen[b] = true
		n, found := find(b.Segments, upTo)
		if found {
			n++
		}
		hd, i, newest, err := h.completeLog(ctx, b, n, t)
		if err != nil {
			return err
		}
		// The newest log is no use yet if what it builds on is still being
		// shipped; that must not go meanwhile.
		if newest != nil {
			set.addSet(newest.Live)
		}
		if hd != nil {
			set.addSet(hd.Live)
			set.addAll(b.from(b.Segments[i].Ref.ID, upTo))
			set.addAll(b.storedSince(time.Unix(0, hd.Time).Add(-settle), t, upTo))
			break
		}
		set.addAll(b.from(0, upTo))
		if n > 0 { // what its first log builds on
			_, first, err := rowOf(b.Segments[:n], h.header).first(ctx, 0)
			if err != nil {
				return err
			}
			if first != nil {
				set.addSet(first.Live)
			}
		}
		upTo = b.fork.ID
	}
	set.normal()
	c.add(why, set)
	return nil
}

// from returns the segments of a branch with ids from first to last.
func (b *branch) from(first, last segment.ID) *refSet {
	set := &refSet{}
	i, _ := find(b.Segments, first)
	for _, s := range b.Segments[i:] {
		if s.Ref.ID > last {
			break
		}
		set.addRefs([]segment.Ref{s.Ref})
	}
	return set
}

// storedSince returns the segments with ids up to last that were stored since a
// moment, if the claim is about points since one: logs after the window's begin
// may adopt outputs that were made before.
func (b *branch) storedSince(moment, begin time.Time, last segment.ID) *refSet {
	set := &refSet{}
	if begin.IsZero() {
		return set
	}
	for _, s := range b.Segments {
		if s.Ref.ID <= last && s.Modified.After(moment) {
			set.addRefs([]segment.Ref{s.Ref})
		}
	}
	return set
}

// claimYoung adds the segments of a tip's timeline that no header knows of and that
// were stored too short a time before its newest log was begun: a log to come
// may adopt them. What a header knows of, and the newest state does not need, was
// retired, and does not come back.
func (h *history) claimYoung(c *claims, b *branch, patience time.Duration) {
	set := &refSet{}
	begun := time.Unix(0, b.log.Time)
	for _, s := range b.Segments {
		if s.Modified.After(begun.Add(-patience)) && !h.lived.has(s.Ref) {
			set.addRefs([]segment.Ref{s.Ref})
		}
	}
	c.add(fmt.Sprintf("new, and not yet adopted, on tip %v", b.id), set)
}
