package archiver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/varve-db/varve/segment"
)

// Plan says what a store was made of at a point: segments that are taken whole,
// and of one log perhaps only the beginning. What it names was in the archive
// when it was made; nothing of it was read but headers, a few tables and a few
// heads of records.
type Plan struct {
	Store    segment.UUID     `json:"store"`
	Timeline segment.Timeline `json:"timeline"` // of the last log
	Seq      uint64           `json:"seq"`      // the last sequence number that counts
	Time     time.Time        `json:"time"`     // when that was committed, or later with nothing between
	Backup   uint64           `json:"backup,omitempty"`

	Segments []Stored `json:"segments"`      // whole, in order of their refs
	Cut      *CutLog  `json:"cut,omitempty"` // the log of which only the beginning counts, or nil

	// Held names the segments that the archive lacks, without which it cannot
	// bring back more than this. Only of a plan for the newest state.
	Held []segment.Ref `json:"held,omitempty"`

	Last    segment.Ref `json:"last"`    // the last log: the one that is cut, or one of Segments
	NextID  segment.ID  `json:"next_id"` // no segment in the archive has this id or a greater one
	History []Stretch   `json:"history"` // what led to the point, the oldest timeline first
}

// CutLog is the beginning of a log.
type CutLog struct {
	Stored
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

// set returns the refs of the segments that are taken whole.
func (p *Plan) set() []segment.Ref {
	refs := make([]segment.Ref, len(p.Segments))
	for i, s := range p.Segments {
		refs[i] = s.Ref
	}
	return refs
}

// Plan works out what a store was made of at a point. The error is a
// *ChoiceError where the timeline has to be named, a *PointError outside of what is
// archived, a *MissingError where segments are not there, and otherwise
// one of reading.
//
// The state at a point is the live set in the header of the log that holds the
// point, and that log up to the point. Where the archive lacks a segment of this
// set that compaction made, the set in an earlier log's header will do, with every
// log from that one on.
func (a *Archive) Plan(ctx context.Context, store segment.UUID, p Point) (*Plan, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	s, err := a.shelf(ctx, store)
	if err != nil {
		return nil, err
	}
	if p.Backup != 0 {
		return s.planBackup(ctx, p)
	}
	tip, err := s.choose(ctx, p.Timeline)
	if err != nil {
		return nil, err
	}
	l, err := s.lineage(ctx, tip.log.Ref)
	if err != nil {
		return nil, err
	}
	if p.newest() {
		return l.planNewest(ctx, p)
	}
	find := l.bySeq
	if p.Seq == 0 {
		find = l.byTime
	}
	at, err := find(ctx, p)
	if e, ok := errors.AsType[*PointError](err); ok && e.Later && p.Seq == 0 {
		return l.planLater(ctx, p, e)
	}
	if err != nil {
		return nil, err
	}
	set, err := l.base(ctx, at)
	if err != nil {
		return nil, named(err, p)
	}
	return l.plan(at, set)
}

// planBackup plans the state that a backup pins.
func (s *shelf) planBackup(ctx context.Context, p Point) (*Plan, error) {
	b, err := s.a.Backup(ctx, s.store, p.Backup)
	if err != nil {
		return nil, err
	}
	refs := b.Refs()
	if lacking := s.lacking(refs); len(lacking) > 0 {
		return nil, &MissingError{Where: s.a.target.URL(), Store: s.store, Point: p, Missing: lacking}
	}
	h, err := s.header(ctx, b.Tip)
	if err != nil {
		return nil, err
	}
	l, err := s.lineage(ctx, b.Tip)
	if err != nil {
		return nil, err
	}
	x, _ := s.stored(b.Tip)
	plan, err := l.plan(&place{log: x, hdr: h, seq: b.Seq, time: time.Unix(0, b.LogTime).UTC()}, refs)
	if err == nil {
		plan.Backup = b.ID
	}
	return plan, err
}

// named puts the point that was asked for into an error of missing segments.
func named(err error, p Point) error {
	if e, ok := errors.AsType[*MissingError](err); ok {
		e.Point = p
	}
	return err
}

// planNewest plans the newest state that is complete.
func (l *lineage) planNewest(ctx context.Context, p Point) (*Plan, error) {
	var held []segment.Ref
	for to := len(l.links); ; {
		i, _, err := l.row().last(ctx, 0, to)
		if err != nil {
			return nil, err
		}
		if i < 0 {
			return nil, &MissingError{Where: l.a.target.URL(), Store: l.store, Point: p, Missing: held}
		}
		f, err := l.footer(ctx, l.links[i].Stored)
		if err != nil {
			return nil, err
		}
		at, err := l.wholeLog(ctx, i, f)
		if err == nil && l.links[i].limit < f.LastSeq {
			at, err = l.bySeq(ctx, Point{Seq: l.links[i].limit})
		}
		if err != nil {
			return nil, err
		}
		set, err := l.base(ctx, at)
		if e, ok := errors.AsType[*MissingError](err); ok {
			// Every log after the first one missing needs it.
			held = merged(held, e.Missing)
			to = min(i, before(l.links, e.Missing[0].ID))
			continue
		}
		if err != nil {
			return nil, err
		}
		plan, err := l.plan(at, set)
		if err == nil {
			plan.Held = held
		}
		return plan, err
	}
}

// before returns how many links have ids below id.
func before(links []link, id segment.ID) int {
	n, _ := slices.BinarySearchFunc(links, id, func(k link, id segment.ID) int { return cmp.Compare(k.Ref.ID, id) })
	return n
}

// plan makes the plan of a place and the set that it was based on.
func (l *lineage) plan(at *place, set []segment.Ref) (*Plan, error) {
	p := &Plan{
		Store: l.store, Timeline: at.log.Ref.Timeline, Seq: at.seq, Time: at.time, Last: at.log.Ref,
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
			return nil, fmt.Errorf("%s: store %v: segments %v and %v of one state have the same id", l.a.target.URL(), l.store, p.Segments[n-2].Ref, ref)
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
