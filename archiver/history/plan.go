package history

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/varve-db/varve/archiver/archive"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/segment"
)

// Plan says what a store was made of at a point: segments that are taken whole, and perhaps
// the beginning of one log. All of it was in the archive when the plan was made. Only headers,
// a few tables and a few heads of records were read.
type Plan struct {
	Store    segment.UUID     `json:"store"`
	Timeline segment.Timeline `json:"timeline"` // of the last log
	Seq      uint64           `json:"seq"`      // the last sequence number that counts
	Time     time.Time        `json:"time"`     // when that was committed, or later with nothing between
	Backup   uint64           `json:"backup,omitempty"`

	Segments []archive.Stored `json:"segments"`      // whole, in order of their refs
	Cut      *CutLog          `json:"cut,omitempty"` // the log of which only the beginning counts, or nil

	// Hole says why the plan is for less than the point that was asked for, and names the
	// segments that are missing, as far as their names are known. Nil: the plan is for the
	// point. See Point.AcceptOlder.
	Hole *MissingError `json:"-"`
	Held []segment.Ref `json:"held,omitempty"` // the segments that Hole misses

	// Clock says, of a plan for a moment, that a clock ran ahead: commit times do not show what
	// had been committed by then. The plan holds the commits whose times are not later; others
	// may have been made by then, too. A sequence number is exact.
	Clock *segment.ClockJump `json:"clock,omitempty"`

	Last    segment.Ref `json:"last"`    // the last log: the one that is cut, or one of Segments
	NextID  segment.ID  `json:"next_id"` // no segment in the archive has this id or a greater one
	History []Stretch   `json:"history"` // what led to the point, the oldest timeline first

	archive *archive.Archive // that it is of
}

// CutLog is the beginning of a log.
type CutLog struct {
	archive.Stored
	Offset   int64  `json:"offset"`    // where the records that count end; the first of the log begins below it, or there is none
	FirstSeq uint64 `json:"first_seq"` // of the log
}

// Bytes returns how many bytes a restore has to fetch.
func (p *Plan) Bytes() int64 {
	n := int64(0)
	for _, s := range p.Segments {
		n += s.Size
	}
	if p.Cut != nil {
		n += p.Cut.Offset
	}
	return n
}

// Set returns the refs of the segments that are taken whole.
func (p *Plan) Set() []segment.Ref {
	refs := make([]segment.Ref, len(p.Segments))
	for i, s := range p.Segments {
		refs[i] = s.Ref
	}
	return refs
}

// At works out what a store was made of at a point. The error is an *archive.ChoiceError if
// the timeline has to be named, a *PointError if the point lies outside of what is archived, a
// *MissingError if segments that the point needs are not there or are damaged, and otherwise
// one of reading.
//
// For the newest state a *MissingError also names the segments that the archive is known to
// have held after the last one that is there: one of them is damaged, or the newest backup
// names it. If an archive lost its newest segments and nothing names them, it looks as it did
// before it had them.
//
// The state at a point is the live set in the header of the log that holds the point, and that
// log up to the point. Where the archive lacks a segment of this set that compaction made, the
// set in the header of an earlier log is used, with every log from that one on.
func At(ctx context.Context, a *archive.Archive, store segment.UUID, p Point) (*Plan, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	s, err := newRestorable(ctx, a, store)
	if err != nil {
		return nil, err
	}
	for { // with one segment less each time
		plan, err := s.planPoint(ctx, p)
		next, again := s.without(err)
		if !again {
			return plan, err
		}
		s = next
	}
}

// planPoint is At, for a store that has been listed.
func (s *Restorable) planPoint(ctx context.Context, p Point) (*Plan, error) {
	if p.Backup != 0 {
		return s.planBackup(ctx, p)
	}
	if err := s.remember(ctx); err != nil {
		return nil, err
	}
	tip, hole, err := s.choose(ctx, p)
	if err != nil {
		return nil, err
	}
	l, err := s.lineage(ctx, tip.Log.Ref)
	if err != nil {
		return nil, err
	}
	if p.newest() {
		hole.Missing = merged(hole.Missing, s.beyond(tip))
		return l.complete(ctx, p, hole, len(l.links))
	}
	find := l.bySeq
	if p.Seq == 0 {
		find = l.byTime
	}
	at, err := find(ctx, p)
	if e, ok := errors.AsType[*PointError](err); ok && e.Later && p.Seq == 0 {
		return l.planLater(ctx, p, e, hole)
	}
	n := len(l.links)
	var set []segment.Ref
	if err == nil {
		n = at.at
		set, err = l.base(ctx, at)
	}
	if e, ok := errors.AsType[*MissingError](err); ok {
		hole.add(e)
		return l.complete(ctx, p, hole, l.before(e, n))
	}
	if err != nil {
		return nil, err
	}
	plan, err := l.plan(at, set)
	if err == nil && p.Seq == 0 {
		plan.Clock, err = l.clockJump(ctx, at, p.moment())
	}
	if err == nil && !hole.empty() { // it may be of another timeline than it would be
		l.explain(plan, hole)
	}
	return plan, err
}

// planBackup plans the state that a backup pins.
func (s *Restorable) planBackup(ctx context.Context, p Point) (*Plan, error) {
	b, err := s.A.Backup(ctx, s.Store, p.Backup)
	if err != nil {
		return nil, err
	}
	refs := b.Refs()
	lacking := s.lacking(refs)
	hole := s.hole(p, lacking)
	l, err := s.lineage(ctx, b.Tip)
	if len(lacking) > 0 && (errors.Is(err, target.ErrNotExist) || errors.Is(err, ErrIncomplete)) { // no log of the timeline is left
		return nil, hole
	}
	if err != nil {
		return nil, err
	}
	if len(lacking) > 0 {
		return l.complete(ctx, p, hole, l.before(hole, len(l.links)))
	}
	x, _ := s.stored(b.Tip)
	h, err := s.Header(ctx, b.Tip)
	if err != nil {
		return nil, err
	}
	plan, err := l.plan(&place{log: x, hdr: h, seq: b.Seq, time: time.Unix(0, b.LogTime).UTC()}, refs)
	if err == nil {
		plan.Backup = b.ID
	}
	return plan, err
}

// end is the place at the end of what a link has of the history.
func (l *lineage) end(ctx context.Context, i int) (*place, error) {
	f, err := l.Footer(ctx, l.links[i].Stored)
	if err != nil {
		return nil, err
	}
	if limit := l.links[i].limit; limit < f.LastSeq {
		return l.bySeq(ctx, Point{Seq: limit})
	}
	return l.wholeLog(ctx, i, f)
}

// plan makes the plan of a place and the set that it was based on.
func (l *lineage) plan(at *place, set []segment.Ref) (*Plan, error) {
	p := &Plan{
		archive: l.A,
		Store:   l.Store, Timeline: at.log.Ref.Timeline, Seq: at.seq, Time: at.time, Last: at.log.Ref,
		NextID: max(l.maxID(), at.hdr.NextID) + 1, History: l.historyOf(at),
	}
	if at.whole() {
		set = merged(set, []segment.Ref{at.log.Ref})
	} else {
		p.Cut = &CutLog{Stored: at.log, Offset: max(at.end, 0), FirstSeq: at.hdr.FirstSeq}
	}
	for _, ref := range set {
		x, _ := l.stored(ref)
		p.Segments = append(p.Segments, x)
		if n := len(p.Segments); n > 1 && p.Segments[n-2].Ref.ID == ref.ID {
			return nil, fmt.Errorf("%s: store %v: segments %v and %v of one state have the same id", l.A.Target().URL(), l.Store, p.Segments[n-2].Ref, ref)
		}
	}
	return p, nil
}

// historyOf returns the stretches up to a place.
func (l *lineage) historyOf(at *place) []Stretch {
	var out []Stretch
	for _, s := range l.stretches {
		if s.Timeline == at.log.Ref.Timeline {
			return append(out, Stretch{s.Timeline, at.seq})
		}
		out = append(out, s)
	}
	return out
}

// To returns how far the plan's history goes along a timeline, or nil.
func (p *Plan) To(t segment.Timeline) *Stretch {
	for i := range p.History {
		if p.History[i].Timeline == t {
			return &p.History[i]
		}
	}
	return nil
}

// Refs returns the segments that the plan reads, of one perhaps only the beginning.
func (p *Plan) Refs() []segment.Ref {
	refs := p.Set()
	if p.Cut != nil {
		refs = merged(refs, []segment.Ref{p.Cut.Ref})
	}
	return refs
}
